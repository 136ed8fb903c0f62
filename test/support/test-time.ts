/** The keeper of a node's time over a journal and a clock of a test, with no link and nothing learned. */
import { TimeKeeper, type TimeKeeperOptions } from '../../agent/time/time-keeper.js';
import { trustedRoot } from './fleet.js';

type Given = Pick<TimeKeeperOptions, 'identity' | 'journal' | 'clock'>;

export function testTime(given: Given, change: Partial<TimeKeeperOptions> = {}): TimeKeeper {
  const { clock } = given;
  let ids = 0;
  return new TimeKeeper({
    ...given,
    link: { connected: () => false, publish: async () => false },
    root: () => trustedRoot(),
    releasedAt: 0,
    machine: { bootId: 'machine-1', uptimeMs: () => clock.monotonic() },
    kernelSynced: () => false,
    random: () => 0,
    randomId: () => String(++ids).padStart(32, '0'),
    onChange: () => undefined,
    onLearned: () => undefined,
    ...change,
  });
}
