/**
 * `npm run bench -- NAME [--check] [--nodes N]`: prints figures beside their yardsticks; with `--check` exits 1 when one falls short. `--nodes`:
 * of the fleet, where there is one.
 */
import { parseArgs } from 'node:util';
import { bytes } from './bytes.js';
import { footprint } from './footprint.js';
import { figureLine, isGoodEnough, type Figure } from './figure.js';
import { idleWeek } from './idle-week.js';
import { podEdit, podStart } from './pod-start.js';
import { restart } from './restart.js';
import { rollout } from './rollout.js';
import { writes } from './writes.js';

const NODES = 1000;

const BENCHES: Readonly<Record<string, (nodes: number) => Promise<readonly Figure[]>>> = {
  'pod-start': podStart,
  'pod-edit': podEdit,
  bytes,
  footprint,
  'idle-week': idleWeek,
  restart,
  rollout,
  writes,
};

function bad(): never {
  const names = Object.keys(BENCHES).join('|');
  process.stderr.write(`usage: npm run bench -- ${names} [--check] [--nodes N]\n`);
  process.exit(2);
}

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { check: { type: 'boolean' }, nodes: { type: 'string' } },
    });
  } catch {
    return bad();
  }
}

const { values, positionals } = commandLine();
const { nodes = String(NODES) } = values;
const bench = BENCHES[positionals[0] ?? ''];
if (bench === undefined || positionals.length > 1 || !/^[1-9]\d{0,4}$/.test(nodes)) bad();
const figures = await bench(Number(nodes));
for (const figure of figures) process.stdout.write(`${figureLine(figure)}\n`);
const short = figures.filter(figure => !isGoodEnough(figure));
if (values.check === true && short.length > 0) {
  process.stderr.write(`falls short: ${short.map(figure => figure.name).join(', ')}\n`);
  process.exitCode = 1;
}
