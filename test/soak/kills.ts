/** `npm run soak`: two hundred kills of the agent at random moments. `SEED` and `ROUNDS` may be given. */
import { killStorm } from '../support/kill-storm.js';

if (process.argv.length > 2) {
  process.stderr.write(
    'usage: [SEED=N] [ROUNDS=N] npm run soak    kills of the agent: 200, any seed\n',
  );
  process.exit(2);
}
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const rounds = Number(process.env['ROUNDS'] ?? 200);
process.stdout.write(`seed ${seed}, ${rounds} kills\n`);
await killStorm({ rounds, seed });
process.stdout.write('no double pod, no needless restart, no count that fell\n');
