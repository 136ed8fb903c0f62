/**
 * Using a join token up: whether its secret is right and its time not over, whom it lets in, how
 * often (security.md S79–S81).
 */
import { timingSafeEqual } from 'node:crypto';
import { parseToken } from '../../protocol/join-line.js';
import type { Clock } from '../../protocol/ports.js';
import type { TokenObject, TokenUse } from '../objects.js';
import { RequestError } from '../ports.js';
import type { Mutation, Store } from '../store/store.js';
import { tokenHash } from './token.js';

/** One sentence for an unknown, an expired and a wrong token: a guess learns nothing (S81). */
const BAD_TOKEN =
  'the token is not valid: unknown, expired or mistyped; ' +
  'make a new one with `flotilla token create`';

export interface PresentedToken {
  readonly token: TokenObject;
  /** This very key came in with it, under this name. */
  readonly usedBefore: TokenUse | null;
  readonly isUsedUp: boolean;
}

/** Takes as long for every wrong one. Throws `Unauthorized`. */
export async function presentedToken(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  asked: { readonly token: string; readonly node: string; readonly identityKey: string },
): Promise<PresentedToken> {
  const parsed = parseToken(asked.token);
  const token = (await store.get('Token', '', parsed?.id ?? '')) as TokenObject | null;
  const expected = Buffer.from(token?.spec.secretHash ?? '0'.repeat(64), 'hex');
  const isRight = timingSafeEqual(tokenHash(parsed?.secret ?? ''), expected);
  const expiresMs = Date.parse(token?.spec.expiresAt ?? new Date(0).toISOString());
  const isOver = clock.now() > expiresMs;
  if (!token || !isRight) throw new RequestError('Unauthorized', BAD_TOKEN);
  const usedBefore =
    token.status.usedBy.find(
      use => use.node === asked.node && use.identityKey === asked.identityKey,
    ) ?? null;
  const isUsedUp = token.status.usedBy.length >= token.spec.uses;
  // Who knows the secret of a used one is told so, whatever its time: he is asked after (S79).
  if (isOver && usedBefore === null && !isUsedUp) {
    throw new RequestError('Unauthorized', BAD_TOKEN);
  }
  return { token, usedBefore, isUsedUp };
}

/** Whether a name, or a pattern with `*`, covers the node. */
export function letsIn(patterns: readonly string[], node: string): boolean {
  if (patterns.length === 0) return true;
  return patterns.some(pattern => {
    const parts = pattern.split('*');
    const [first = '', ...rest] = parts;
    const last = rest.pop();
    if (last === undefined) return pattern === node;
    if (!node.startsWith(first) || !node.endsWith(last)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = node.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= node.length - last.length;
  });
}

export function usedToken(token: TokenObject, use: TokenUse): Mutation {
  const { namespace, name, labels, annotations, resourceVersion } = token.metadata;
  return {
    type: 'put',
    object: {
      kind: 'Token',
      metadata: { namespace, name, labels, annotations },
      spec: token.spec,
      status: { usedBy: [...token.status.usedBy, use] },
    },
    expect: { resourceVersion },
  };
}
