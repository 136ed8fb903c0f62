/**
 * A node leaves its fleet because somebody at the device says so: the hub is told if it can be, the conversation ends, what the fleet's
 * bundles put into the static pod directory goes and their pods with it, then the journal forgets the fleet, and last the keys go: cut off
 * before that, the next start is the member that it was. Local manifests stay. Orders the calls; decides nothing.
 */
import { rmSync } from 'node:fs';
import type { Clock, Log } from '../../protocol/ports.js';
import type { OwnedDirectory } from '../intake/owned-files.js';
import type { NewEvent } from '../ports.js';
import type { Membership } from './identity.js';
import { identityPaths, syncDirectory } from './private-keys.js';

export interface LeaveParts {
  readonly dataDir: string;
  readonly membership: Membership;
  readonly journal: {
    record(event: NewEvent): void;
    newestEvent(): number;
    oldestEvent(): number;
    /** Durable what it gathers: as long as it does, nobody else writes to its file. */
    settle(): void;
  };
  readonly connected: () => boolean;
  /** Ends the conversation with the hub, for good. */
  readonly endMembership: () => Promise<void>;
  readonly directory: OwnedDirectory;
  /** Names of the bundles' pods that have not ended. */
  readonly podsOfBundles: () => readonly string[];
  /** Of the journal: see `forgetFleet`. */
  readonly forget: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Left {
  readonly node: string;
  readonly hubUrl: string;
  /** The hub confirmed that it heard of it. */
  readonly told: boolean;
  /** Events that the hub has not heard of, and never will. */
  readonly untold: number;
  /** Pods of bundles that take longer to end: the agent goes on ending them. */
  readonly ending: readonly string[];
}

const TELL_MS = 10_000;
const END_MS = 60_000;
const LOOK_MS = 100;

/** Throws what the directory or the disk says; the node is still a member then, after a restart of the agent. */
export async function leaveFleet(parts: LeaveParts): Promise<Left> {
  const { dataDir, membership, journal, clock, log } = parts;
  const { node, hubUrl } = membership;
  const within = async (limitMs: number, done: () => boolean) => {
    const end = clock.monotonic() + limitMs;
    while (!done() && clock.monotonic() < end) await clock.sleep(LOOK_MS);
    return done();
  };
  // Before anything ends: a directory that cannot be written to is no reason to be half a member.
  parts.directory.assertSafe();
  const involved = { kind: 'Node', namespace: '', name: node, uid: '', fieldPath: '' } as const;
  const message = 'Somebody at the device has it leave the fleet; flotilla delete node forgets it';
  journal.record({ type: 'Warning', reason: 'LeftFleet', message, involved });
  const untold = () => journal.newestEvent() - journal.oldestEvent() + 1;
  const told = parts.connected() && (await within(TELL_MS, () => untold() === 0));
  const lost = untold();
  await parts.endMembership();
  const remove = parts.directory.list().map(({ file }) => file);
  parts.directory.apply({ write: [], remove });
  await within(END_MS, () => parts.podsOfBundles().length === 0);
  const ending = parts.podsOfBundles();
  journal.settle();
  parts.forget();
  const { directory, join: membershipFile } = identityPaths(dataDir);
  rmSync(membershipFile);
  rmSync(directory, { recursive: true });
  syncDirectory(dataDir);
  log.warn('this node left its fleet', { node, hub: hubUrl, told });
  return { node, hubUrl, told, untold: lost, ending };
}
