/**
 * A joined node's life with its hub: the conversation under the identity in force, and the keeper
 * of that identity. When keys, certificate or brokers change, the conversation ends and begins
 * anew; pods know nothing of it. Nothing is decided here.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { HubSessionOptions } from './hub-session.js';
import { startHubSession, type HubSession } from './hub-session.js';
import { openBrokerSocket, pinnedAuthorities } from './membership/hub-tls.js';
import type { StoredIdentity } from './membership/identity.js';
import { Keeper } from './membership/keeper.js';

export interface MemberOptions extends Omit<
  HubSessionOptions,
  'identity' | 'pinnedRoot' | 'brokers' | 'openSocket' | 'enrolledLabels' | 'onLink' | 'onRoot'
> {
  readonly dataDir: string;
  readonly identity: StoredIdentity;
  /** The conversation in force; null between two. */
  readonly onSession: (session: HubSession | null) => void;
}

export interface Member {
  readonly keeper: Keeper;
  close(): Promise<void>;
}

export function startMember(options: MemberOptions): Member {
  const { dataDir, journal, clock, random, log, onSession } = options;
  let session: HubSession | null = null;
  const root = () => journal.root() ?? options.identity.root;
  const begin = (identity: StoredIdentity): void => {
    session = startHubSession({
      ...options,
      identity,
      pinnedRoot: identity.root,
      brokers: identity.membership.brokers,
      enrolledLabels: options.identity.membership.labels,
      openSocket: brokerSocket(identity, () => root().document.tls),
      conditions: () => [...options.conditions(), ...keeper.conditions()],
      onRoot: () => keeper.rootChanged(),
      onLink: {
        up: () => keeper.linkUp(),
        down: () => keeper.linkDown(),
        failed: reason => keeper.linkFailed(reason),
        cleared: () => keeper.doubt(),
      },
    });
    onSession(session);
  };
  const end = async (): Promise<void> => {
    onSession(null);
    await session?.close();
    session = null;
  };
  let isClosed = false;
  const keeper: Keeper = new Keeper({
    dataDir,
    identity: options.identity,
    root,
    acceptRoot: newer => journal.acceptRoot(newer),
    clock,
    chance: random,
    random: size => randomBytes(size),
    log,
    onPause: end,
    onIdentity: async identity => {
      await end();
      if (!isClosed) begin(identity);
    },
  });
  begin(options.identity);
  return {
    keeper,
    close: async () => {
      isClosed = true;
      await keeper.close();
      await end();
    },
  };
}

/** Trusts what the root in force pins, and nothing that a former one did. */
function brokerSocket(
  { tls, node }: StoredIdentity,
  pins: () => readonly string[],
): (broker: URL) => Socket {
  return broker => {
    const { key, cert, ca } = tls;
    if (cert === null) throw new Error(`node ${node} waits for approval`);
    const pinned = pinnedAuthorities(ca, pins());
    if (pinned.length === 0) {
      throw new Error('no certificate of an authority that the root pins is known here');
    }
    return openBrokerSocket({ key, cert, ca: pinned.join('') })(broker);
  };
}
