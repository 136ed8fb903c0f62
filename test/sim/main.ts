/**
 * `npm run sim -- [--seed N] [--histories N] [--nodes N] [--scene NAME] [--seconds N] [--workers N] [--coverage] [--trace]`: simulated histories from a
 * seed on (a fresh one unless it is given), as many as begin within that time. Ends with `N histories, M invariants broken`, and with 1 if
 * M is not 0; prints for each history that broke one the command that runs it again.
 */
import './outside.js';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { commandOf, liveTogether, tracedBy, usualWorkers, type Life, type Lived } from './crew.js';
import { FAULT_NAMES } from './faults.js';
import { runHistory } from './history.js';
import { coverageTable } from './phases.js';
import { SCENES } from './scenes.js';

const SEED_MAX = 2 ** 31;

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
    scene: { type: 'string' },
    seconds: { type: 'string' },
    workers: { type: 'string' },
    coverage: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
  },
});
const nodes = values.nodes === undefined ? null : numberOf(values.nodes, 0);
const scene = values.scene ?? null;
if (scene !== null && !(scene in SCENES)) {
  console.error(`no such scene: ${scene}; there are ${Object.keys(SCENES).join(', ')}`);
  process.exit(2);
}

async function live(life: Life): Promise<Lived> {
  const before = process.cpuUsage();
  const onTrace = values.trace ? { onTrace: (line: string) => console.log(line) } : {};
  const told = await runHistory({ ...life, ...onTrace });
  const { user, system } = process.cpuUsage(before);
  return { ...told, ...life, cpuSeconds: (user + system) / 1e6 };
}

/** One of several processes: whoever started it sends one after the other. */
function serve(): void {
  process.on('message', life => {
    void live(life as Life).then(lived => process.send?.(lived));
  });
}

async function command(): Promise<void> {
  const first = numberOf(values.seed, randomInt(SEED_MAX));
  const histories = numberOf(values.histories, values.seed === undefined ? 1000 : 1);
  const endsAt = performance.now() + 1000 * numberOf(values.seconds, Infinity);
  const most = values.trace ? 1 : numberOf(values.workers, usualWorkers());
  const all: Lived[] = [];
  let seed = first;
  const next = () => {
    const isOver = seed >= first + histories || (seed > first && performance.now() > endsAt);
    return isOver ? null : { seed: seed++, nodes, scene };
  };
  const onLived = (lived: Lived) => {
    all.push(lived);
    if (lived.broken.length === 0) return;
    console.log(`seed ${lived.seed}: ${commandOf(lived)}`);
    for (const one of lived.broken) console.log(`  ${one}`);
  };
  const workers = Math.min(most, histories);
  if (workers <= 1) for (let one = next(); one !== null; one = next()) onLived(await live(one));
  else await liveTogether({ workers, next, onLived });
  conclude(all);
}

function conclude(all: readonly Lived[]): void {
  const sum = (of: (one: Lived) => number) => all.reduce((total, one) => total + of(one), 0);
  const reached = new Map<string, number>();
  for (const one of all) {
    for (const pair of one.reached) reached.set(pair, (reached.get(pair) ?? 0) + 1);
  }
  if (values.coverage) for (const line of coverageTable(reached, FAULT_NAMES)) console.log(line);
  const slowestMs = Math.max(0, ...all.map(({ convergedMs }) => convergedMs ?? 0));
  const broken = sum(one => one.broken.length);
  console.log(
    `${(all.length / sum(one => one.cpuSeconds)).toFixed(1)} histories a second of CPU, ${sum(one => one.events)} events; ` +
      `at rest at the latest ${Math.round(slowestMs / 1000)} s after the last fault; traced ${tracedBy(all)}`,
  );
  console.log(`${all.length} histories, ${broken} invariants broken`);
  process.exitCode = broken > 0 ? 1 : 0;
}

if (process.send) serve();
else await command();
