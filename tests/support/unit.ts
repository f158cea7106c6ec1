/**
 * The unit of subjects on real clocks, in ms: what a busy machine does not end by itself. `npm test` sets it, for many
 * files run side by side there; 250 where a file runs alone.
 */
export const realUnit = Number(process.env["HOLDFAST_UNIT"] ?? 250);
