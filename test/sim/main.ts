/**
 * `npm run sim -- [--seed N] [--histories N] [--nodes N] [--seconds N] [--trace]`: simulated histories from a seed
 * on (a fresh one unless it is given), as many as begin within that time. Ends with `N histories, M invariants broken`, and with 1 if M is not 0; prints for each history
 * that broke one the command that runs it again.
 */
import './outside.js';
import { createHash, randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runHistory } from './history.js';

const SEED_MAX = 2 ** 31;
const NODES = 3;

function numberOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  console.error(`not a whole number: ${text}`);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    histories: { type: 'string' },
    nodes: { type: 'string' },
    seconds: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});
const first = numberOf(values.seed, randomInt(SEED_MAX));
const histories = numberOf(values.histories, values.seed === undefined ? 100 : 1);
const nodes = numberOf(values.nodes, NODES);
const endsAt = performance.now() + 1000 * numberOf(values.seconds, Infinity);
let broken = 0;
let slowestMs = 0;
let events = 0;
const digest = createHash('sha256');
let lived = 0;
for (let seed = first; seed < first + histories; seed++) {
  if (lived > 0 && performance.now() > endsAt) break;
  lived++;
  const onTrace = values.trace ? { onTrace: (line: string) => console.log(line) } : {};
  const told = await runHistory({ seed, nodes, ...onTrace });
  slowestMs = Math.max(slowestMs, told.convergedMs ?? 0);
  events += told.events;
  digest.update(told.digest);
  if (told.broken.length === 0) continue;
  broken += told.broken.length;
  console.log(`seed ${seed}: npm run sim -- --seed ${seed} --nodes ${nodes} --trace`);
  for (const one of told.broken) console.log(`  ${one}`);
}
const { user, system } = process.cpuUsage();
const seconds = (user + system) / 1e6;
console.log(
  `${(lived / seconds).toFixed(1)} histories a second of CPU, ${events} events; at rest at the latest ` +
    `${Math.round(slowestMs / 1000)} s after the last fault; traced ${digest.digest('hex').slice(0, 16)}`,
);
console.log(`${lived} histories, ${broken} invariants broken`);
process.exitCode = broken > 0 ? 1 : 0;
