// Keeps a core busy until it is told to stop, or its parent is gone.
let stopped = false;
process.on("message", () => (stopped = true));
process.on("disconnect", () => (stopped = true));
while (!stopped) {
  const end = performance.now() + 50;
  while (performance.now() < end);
  await new Promise(setImmediate);
}
process.disconnect?.();
