/**
 * `npm run test:network [-- --only WORDS]`: each scenario on one fleet after the other; `--only`: those whose names
 * have these words in them.
 */
import { parseArgs } from 'node:util';
import { SCENARIOS } from './scenarios.js';
import { noNamespaces } from './wire.js';
import { NetworkWorld } from './world.js';

const { values: options } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const why = noNamespaces();
  if (why !== false) throw new Error(why);
  const wanted = SCENARIOS.filter(({ name }) => name.includes(options.only));
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
  return failed > 0 || wanted.length === 0 ? 1 : 0;
}

process.exitCode = await main();
