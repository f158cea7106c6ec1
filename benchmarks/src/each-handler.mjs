// Keeps for each account its balance, how many items it saw, and a chain of their numbers, which tells their order.
export default async (item, ctx) => {
  const accounts = ctx.state("accounts");
  const account = (await accounts.load(ctx.key)) ?? { balance: 0, items: 0, chain: 7 };
  account.balance += item.amount;
  account.items++;
  account.chain = (account.chain * 31 + item.id) % 1_000_003;
  await accounts.save(ctx.key, account);
};
