/** `npm run test:network`: each scenario on one fleet after the other. */
import { wordsOf } from '../support/command-words.js';
import { SCENARIOS } from './scenarios.js';
import { noNamespaces } from './wire.js';
import { NetworkWorld } from './world.js';

const USAGE = `usage: npm run test:network [-- --only WORDS]
A hub, a broker and agents on networks as networks are: cut, slow, lossy. Ends with "N passed, N failed".

  --only WORDS   the scenarios whose names have these words in them (all)
`;

const { values: options, refuse } = wordsOf(USAGE, { only: { type: 'string', default: '' } });
const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const why = noNamespaces();
  if (why !== false) throw new Error(why);
  const wanted = SCENARIOS.filter(({ name }) => name.includes(options.only));
  if (wanted.length === 0) {
    const names = SCENARIOS.map(({ name }) => `  ${name}\n`).join('');
    refuse(`--only ${options.only}: no scenario has that in its name; they are\n${names}`);
  }
  let failed = 0;
  const at: { world: NetworkWorld | null } = { world: null };
  for (const { name, run, bad = 'agents' } of wanted) {
    const began = performance.now();
    try {
      let { world } = at;
      if (world?.bad !== bad) {
        await world?.close();
        at.world = world = new NetworkWorld({ bad });
        await world.begin();
      }
      await run(world);
      say(`ok      ${name} (${Math.round((performance.now() - began) / 1000)} s)`);
    } catch (error) {
      failed++;
      say(`FAILED  ${name}\n${error instanceof Error ? error.message : String(error)}`);
      // What it left behind is no business of the next.
      await at.world?.close();
      at.world = null;
    }
  }
  const did = await at.world?.close();
  if (did !== undefined) say(`the wire: ${did}`);
  say(`${wanted.length - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

process.exitCode = await main();
