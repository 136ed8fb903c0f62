/** What a join asks the hub before it sends anything secret: the root, the authorities, a nonce. */
import type { JoinLine } from '../../protocol/join-line.js';
import type { TrustedRoot } from '../../protocol/verified.js';
import { openNextRoot, openPinnedRoot } from '../../protocol/verify-root.js';
import { pinnedAuthorities } from './hub-tls.js';
import { ask, JoinError } from './join-http.js';

const ROOT_ANSWER_BYTES_MAX = 128 * 1024;
const AUTHORITIES_BYTES_MAX = 64 * 1024;
const SMALL_ANSWER_BYTES_MAX = 16 * 1024;
/** Roots walked in one session (security.md 1.7). */
const ROOT_STEPS_MAX = 1024;

/**
 * The root that the line names, then each that follows from the one before. No server is believed
 * for this.
 */
export async function newestRoot({ hubUrl, fingerprint }: JoinLine): Promise<TrustedRoot> {
  const found = await getRoot(hubUrl, `/flotilla/v1/root/${fingerprint}`);
  const first = found.status === 200 ? openPinnedRoot(found.body, fingerprint) : null;
  if (!first?.ok) {
    const why = first ? first.refusal.detail : `the server answers ${found.status}`;
    throw new JoinError(
      'WrongRoot',
      `${hubUrl} does not give the root that the join line names (${why}): somebody is in the ` +
        'middle, or the join line is old, of another hub, or badly copied. Nothing secret was ' +
        'sent; make a new line with `flotilla token create`',
    );
  }
  return newerRoots(hubUrl, first.value, () => undefined);
}

/** Each root that follows from the one before, up to the newest. No server is believed for this. */
export async function newerRoots(
  hubUrl: string,
  current: TrustedRoot,
  accept: (root: TrustedRoot) => void,
): Promise<TrustedRoot> {
  let root = current;
  for (let step = 0; step < ROOT_STEPS_MAX; step++) {
    const path = `/flotilla/v1/roots/${root.document.version + 1}`;
    const next = await getRoot(hubUrl, path);
    if (next.status === 404) return root;
    const opened = next.status === 200 ? openNextRoot(next.body, root) : null;
    if (!opened?.ok) {
      const why = opened ? opened.refusal.detail : `the server answers ${next.status}`;
      throw new JoinError(
        'WrongRoot',
        `${hubUrl}: root ${root.document.version + 1} does not follow from the one before ` +
          `(${why}). Nothing secret was sent`,
      );
    }
    root = opened.value;
    accept(root);
  }
  throw new JoinError('WrongRoot', `${hubUrl}: more than ${ROOT_STEPS_MAX} roots`);
}

function getRoot(hubUrl: string, path: string) {
  return ask({ hubUrl, path, trust: null, answerBytesMax: ROOT_ANSWER_BYTES_MAX, body: null });
}

/** PEM of the authorities whose keys the root pins. */
export async function authoritiesOf(hubUrl: string, root: TrustedRoot): Promise<readonly string[]> {
  const { status, body } = await ask({
    hubUrl,
    path: '/flotilla/v1/authorities',
    trust: null,
    answerBytesMax: AUTHORITIES_BYTES_MAX,
    body: null,
  });
  const pinned =
    status === 200 ? pinnedAuthorities(body.toString('latin1'), root.document.tls) : [];
  if (pinned.length > 0) return pinned;
  throw new JoinError(
    'WrongPin',
    `${hubUrl}: none of the authorities it names is pinned by root ${root.document.version}: ` +
      'somebody is in the middle. Nothing secret was sent',
  );
}

/** The first request that trusts the hub. */
export async function nonceOf(hubUrl: string, trust: readonly string[]): Promise<string> {
  const { status, body } = await ask({
    hubUrl,
    path: '/flotilla/v1/nonce',
    trust,
    answerBytesMax: SMALL_ANSWER_BYTES_MAX,
    body: Buffer.from('{}'),
  });
  if (status !== 200) throw refusalOf(hubUrl, status, body);
  const nonce = fieldOf(body, 'nonce');
  if (nonce !== null && /^[0-9a-f]{32}$/.test(nonce)) return nonce;
  throw new JoinError('BadAnswer', `${hubUrl}: the hub's nonce is not one`);
}

/** The hub's own words: it is the pinned one. */
export function refusalOf(hubUrl: string, status: number, body: Buffer): JoinError {
  const message = fieldOf(body, 'message') ?? `it answers ${status}`;
  return new JoinError('Refused', `${hubUrl} refuses: ${message}`, status);
}

/** A text field of a JSON object; null for anything else. */
function fieldOf(body: Buffer, field: string): string | null {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    const found = (value as Record<string, unknown> | null)?.[field];
    return typeof found === 'string' ? found : null;
  } catch {
    return null;
  }
}
