/**
 * A node in a process of its own that kills itself (SIGKILL) at a given step of the first
 * activation: `accepted` after the assignment was accepted and before any file, `committed` after
 * the journal's promise and before the rename, `never`. Arguments: data directory, broker port,
 * step.
 */
import { realClock } from '../../agent/clock.js';
import type { OwnedDirectory } from '../../agent/intake/owned-files.js';
import { NOW } from './fleet.js';
import { startNode } from './intake-node.js';

const [dataDir = '', port = '', step = 'never'] = process.argv.slice(2);

function killingAt(directory: OwnedDirectory): OwnedDirectory {
  const kill = () => process.kill(process.pid, 'SIGKILL');
  return {
    ...directory,
    apply: change => {
      if (step === 'accepted' && change.write.length > 0) kill();
      directory.apply({
        ...change,
        commit: () => {
          change.commit?.();
          if (step === 'committed' && change.write.length > 0) kill();
        },
      });
    },
  };
}

const real = realClock();
const offset = NOW - real.now();
startNode({
  dataDir,
  port: Number(port),
  clock: { ...real, now: () => real.now() + offset },
  wrapDirectory: killingAt,
});
