/**
 * `npm run bench -- NAME [--check] [--nodes N] [--rollouts N]`: prints figures beside their yardsticks; with `--check` exits 1 when one falls
 * short. `--nodes`: of the fleet, where there is one. `--rollouts`: of `writes`.
 */
import { parseArgs } from 'node:util';
import { bytes } from './bytes.js';
import { footprint } from './footprint.js';
import { figureLine, isGoodEnough, type Figure } from './figure.js';
import { idleWeek } from './idle-week.js';
import { ingest } from './ingest.js';
import { podEdit, podStart } from './pod-start.js';
import { restart } from './restart.js';
import { rollout } from './rollout.js';
import { idleDay, writes, type WritesOptions } from './writes.js';

const NODES = 1000;

interface BenchOptions extends WritesOptions {
  readonly nodes: number;
}

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<readonly Figure[]>>> = {
  'pod-start': podStart,
  'pod-edit': podEdit,
  bytes,
  footprint,
  'idle-day': idleDay,
  'idle-week': idleWeek,
  ingest: ({ nodes }) => ingest(nodes),
  restart,
  rollout: ({ nodes }) => rollout(nodes),
  writes,
};

function bad(): never {
  const names = Object.keys(BENCHES).join('|');
  process.stderr.write(`usage: npm run bench -- ${names} [--check] [--nodes N] [--rollouts N]\n`);
  process.exit(2);
}

function commandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        check: { type: 'boolean' },
        nodes: { type: 'string' },
        rollouts: { type: 'string' },
      },
    });
  } catch {
    return bad();
  }
}

const { values, positionals } = commandLine();
const { nodes = String(NODES), rollouts = null } = values;
const areNumbers = [nodes, rollouts ?? '1'].every(text => /^[1-9]\d{0,4}$/.test(text));
const bench = BENCHES[positionals[0] ?? ''];
if (bench === undefined || positionals.length > 1 || !areNumbers) bad();
const figures = await bench({
  nodes: Number(nodes),
  rollouts: rollouts === null ? null : Number(rollouts),
});
for (const figure of figures) process.stdout.write(`${figureLine(figure)}\n`);
const short = figures.filter(figure => !isGoodEnough(figure));
if (values.check === true && short.length > 0) {
  process.stderr.write(`falls short: ${short.map(figure => figure.name).join(', ')}\n`);
  process.exitCode = 1;
}
