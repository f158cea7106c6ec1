// Connects, uses what there is and closes nothing: the process has to end by itself, after the last reply.
import { connect } from "../../../../src/entries/index.ts";

const hf = await connect(process.argv[2] ?? "", { service: "open" });
const store = hf.state<number>("s");
await store.watch();
await hf.lock("l").acquire("k");
void store.save("k", 1).then(() => process.stdout.write("saved\n"));
