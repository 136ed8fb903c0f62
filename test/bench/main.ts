/** `npm run bench -- NAME [--check]`: prints figures beside their yardsticks; with `--check` exits 1 when one falls short. */
import { bytes } from './bytes.js';
import { footprint } from './footprint.js';
import { figureLine, isGoodEnough, type Figure } from './figure.js';
import { idleWeek } from './idle-week.js';
import { podEdit, podStart } from './pod-start.js';
import { restart } from './restart.js';
import { writes } from './writes.js';

const BENCHES: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  'pod-start': podStart,
  'pod-edit': podEdit,
  bytes,
  footprint,
  'idle-week': idleWeek,
  restart,
  writes,
};

const [name = '', ...options] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined || options.some(option => option !== '--check')) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')} [--check]\n`);
  process.exit(2);
}
const figures = await bench();
for (const figure of figures) process.stdout.write(`${figureLine(figure)}\n`);
const short = figures.filter(figure => !isGoodEnough(figure));
if (options.includes('--check') && short.length > 0) {
  process.stderr.write(`falls short: ${short.map(figure => figure.name).join(', ')}\n`);
  process.exitCode = 1;
}
