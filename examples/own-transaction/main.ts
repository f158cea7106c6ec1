// node main.ts LIBRARY URL: runs an example on a server of yours, in whose database it makes a table `receipts`.
const [, , library = "", url = ""] = process.argv;
const { main } = (await import(`./${library}.ts`)) as { readonly main: (url: string) => Promise<void> };
await main(url);
