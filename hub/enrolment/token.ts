/**
 * Join tokens: `<id>.<secret>`, of whose secret only the SHA-256 is stored; the id names the Token
 * object. The join line carries the newest root's hash beside it.
 */
import { createHash } from 'node:crypto';
import { formatJoinLine } from '../../protocol/join-line.js';
import type { Clock } from '../../protocol/ports.js';
import type { LoadedHub } from '../setup/load.js';
import { RESERVED_LABELS } from './node-object.js';
import type { TokenObject } from '../objects.js';
import type { RandomBytes } from '../setup/pki.js';
import { RequestError, type TokenRequest } from '../ports.js';
import { isLabelKey, isLabelValue } from '../selectors.js';
import type { Actor, Store } from '../store/store.js';

const TTL_MIN_S = 60;
const TTL_MAX_S = 366 * 24 * 3600;
const LABELS_MAX = 64;
/** Each use stands in the Token; a larger batch of devices takes several tokens. */
const USES_MAX = 1000;
const NODES_MAX = 256;

export interface TokenOptions {
  readonly hub: LoadedHub;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/**
 * The secret is in the answer and nowhere else. Throws `RequestError` (Invalid with the fields at
 * fault).
 */
export async function createToken(
  { store, clock, random, hub }: TokenOptions,
  actor: Actor,
  request: TokenRequest,
): Promise<{ object: TokenObject; joinLine: string }> {
  const causes = tokenFaults(request);
  if (causes.length > 0) {
    const all = causes.map(({ field, message }) => `${field}: ${message}`).join('; ');
    throw new RequestError('Invalid', `the token is invalid: ${all}`, causes);
  }
  const root = await store.root();
  if (!root) throw new RequestError('InternalError', 'the store holds no root; restore a backup');
  const token = {
    id: Buffer.from(random(5)).toString('hex'),
    secret: Buffer.from(random(16)).toString('hex'),
  };
  const expiresAt = new Date(clock.now() + request.ttlS * 1000).toISOString();
  const { objects } = await store.commit(actor, [
    {
      type: 'put',
      expect: 'absent',
      object: {
        kind: 'Token',
        metadata: { namespace: '', name: token.id },
        spec: {
          secretHash: tokenHash(token.secret).toString('hex'),
          labels: request.labels,
          expiresAt,
          nodes: request.nodes ?? [],
          uses: request.uses ?? 1,
          approve: request.approve ?? false,
        },
        status: { usedBy: [] },
      },
    },
  ]);
  const hubUrl = hub.config.advertise.hub;
  return {
    object: objects[0] as TokenObject,
    joinLine: formatJoinLine({ hubUrl, token, fingerprint: root.digest }),
  };
}

interface Fault {
  readonly field: string;
  readonly message: string;
}

function tokenFaults(request: TokenRequest): Fault[] {
  const { labels, ttlS, nodes = [], uses = 1 } = request;
  const faults: Fault[] = [];
  if (!Number.isSafeInteger(uses) || uses < 1 || uses > USES_MAX) {
    const message = `must be a whole number from 1 to ${USES_MAX}`;
    faults.push({ field: 'spec.uses', message });
  }
  if (nodes.length > NODES_MAX)
    faults.push({ field: 'spec.nodes', message: `at most ${NODES_MAX}` });
  for (const [index, pattern] of nodes.entries()) {
    if (/^[a-z0-9*]([a-z0-9*-]{0,61}[a-z0-9*])?$/.test(pattern)) continue;
    const message = `"${pattern}" is neither the name of a node nor a pattern such as edge-*`;
    faults.push({ field: `spec.nodes[${index}]`, message });
  }
  if (!Number.isSafeInteger(ttlS) || ttlS < TTL_MIN_S || ttlS > TTL_MAX_S) {
    const message = `must be a whole number of seconds from ${TTL_MIN_S} to ${TTL_MAX_S}`;
    faults.push({ field: 'spec.ttlSeconds', message });
  }
  const entries = Object.entries(labels);
  if (entries.length > LABELS_MAX) {
    faults.push({ field: 'spec.labels', message: `at most ${LABELS_MAX}` });
  }
  for (const [key, value] of entries) {
    const field = `spec.labels[${key}]`;
    if (!isLabelKey(key)) faults.push({ field, message: 'not a Kubernetes label key' });
    else if (RESERVED_LABELS.has(key)) {
      faults.push({ field, message: 'is set from what the node is' });
    }
    if (!isLabelValue(value)) faults.push({ field, message: 'not a Kubernetes label value' });
  }
  return faults;
}

export function tokenHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
