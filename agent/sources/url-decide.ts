/**
 * What the URL source says, from what came of each poll: pure, so that every misfortune of a server is a table row.
 *
 * Whatever goes wrong, the pods of the last good answer stay (kubelet behaviour rows 34 to 42); done better: an answer
 * that cannot be used stays reported until another comes, an empty one is refused, only a list that says that it is
 * empty ends all pods.
 */
import type { ConfigObject } from '../pods/config-objects.js';
import type { RefusedPod, SourcePod, SourceSnapshot } from '../pods/desired.js';
import type { SourceCondition } from '../ports.js';
import { sha256Hex } from '../../protocol/canonical.js';
import type { KeptBody, Validators } from './last-body.js';
import { immutableFault } from './immutable-objects.js';
import { parseManifests, type Parsed } from './parse-manifests.js';

/** What came of one poll. */
export type Outcome =
  | { readonly is: 'body'; readonly body: KeptBody; readonly isPrivate: boolean }
  /** 304 to a question with our validators. */
  | { readonly is: 'unchanged' }
  | { readonly is: 'failed'; readonly reason: string; readonly message: string };

interface Problem {
  readonly reason: string;
  readonly message: string;
}

export interface UrlState {
  /** Without credentials and query. */
  readonly url: string;
  /** True once a good answer is known, were it one of an earlier life. */
  readonly complete: boolean;
  /** Of the last good answer. */
  readonly digest: string | null;
  readonly validators: Validators;
  readonly pods: readonly SourcePod[];
  readonly objects: readonly ConfigObject[];
  readonly problem: Problem | null;
  readonly refused: readonly RefusedPod[];
  /** Of the bad answer that was told last. */
  readonly badDigest: string | null;
  /** In a row. */
  readonly failures: number;
}

/** What the adapter has to do and to say after a poll. */
export interface Verdict {
  readonly state: UrlState;
  readonly keep: KeptBody | null;
  readonly log: { readonly level: 'info' | 'warn'; readonly message: string } | null;
  /** Warnings with the reason FailedValidation. */
  readonly events: readonly string[];
}

/** This many failures in a row are logged, the next says that it goes quiet (row 40). */
const LOUD_FAILURES = 3;

/** A URL as messages show it: without what may be a secret. */
export function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

export function firstUrlState(url: string): UrlState {
  return {
    url: shownUrl(url),
    complete: false,
    digest: null,
    validators: { etag: null, lastModified: null },
    pods: [],
    objects: [],
    problem: { reason: 'NotRead', message: 'it was not asked yet' },
    refused: [],
    badDigest: null,
    failures: 0,
  };
}

const SECRET_IN_THE_OPEN =
  'a Secret that came over plain http can be read on its way; serve it over https';

function parseBody(url: string, bytes: Uint8Array, isPrivate: boolean): Parsed {
  const parsed = parseManifests(bytes, {
    origin: url,
    isOwned: false,
    secretFault: isPrivate ? null : SECRET_IN_THE_OPEN,
    duplicates: 'first wins',
  });
  const isEmpty = parsed.ok && parsed.pods.length + parsed.objects.length === 0;
  if (!isEmpty || parsed.isEmptyList) return parsed;
  const message =
    `${url}: the answer is empty, as one that was cut off would be; ` +
    'to end all pods answer with a v1 PodList whose items are []';
  return { ok: false, reason: 'Empty', message, refused: [] };
}

function accepted(state: UrlState, body: KeptBody, parsed: Parsed & { ok: true }): UrlState {
  const { etag, lastModified } = body;
  return {
    url: state.url,
    complete: true,
    digest: sha256Hex(body.bytes),
    validators: { etag, lastModified },
    pods: parsed.pods,
    objects: parsed.objects,
    problem: null,
    refused: [],
    badDigest: null,
    failures: 0,
  };
}

/** The state that an agent starts with when an answer was kept; its server has still to be asked. */
export function withKeptBody(state: UrlState, body: KeptBody | null): UrlState {
  if (body === null) return state;
  // It was judged when it came; where it lies now nobody else reads it.
  const parsed = parseBody(state.url, body.bytes, true);
  return parsed.ok ? { ...accepted(state, body, parsed), problem: state.problem } : state;
}

function failed(state: UrlState, problem: Problem, news: Partial<UrlState> = {}): Verdict {
  const failures = state.failures + 1;
  const quiet = failures > LOUD_FAILURES ? '; not said again until an answer can be used' : '';
  const detail = `${problem.reason}: ${problem.message}`;
  const log = { level: 'warn', message: `${detail}${quiet}` } as const;
  return {
    state: { ...state, refused: [], badDigest: null, ...news, problem, failures },
    keep: null,
    log: failures <= LOUD_FAILURES + 1 ? log : null,
    events: [],
  };
}

function recovered(before: UrlState): Verdict['log'] {
  return before.failures > 0 ? { level: 'info', message: 'an answer that can be used' } : null;
}

/** The next state. Twice the same answer is the same as once. */
export function applyOutcome(state: UrlState, outcome: Outcome): Verdict {
  if (outcome.is === 'failed') {
    const { reason, message } = outcome;
    return failed(state, { reason, message });
  }
  const log = recovered(state);
  const mended = { ...state, problem: null, refused: [], badDigest: null, failures: 0 };
  if (outcome.is === 'unchanged') return { state: mended, keep: null, log, events: [] };
  const { body, isPrivate } = outcome;
  const digest = sha256Hex(body.bytes);
  const { etag, lastModified } = body;
  if (state.complete && digest === state.digest) {
    // Validators that change by themselves are no reason to write: a lost one costs one whole answer.
    const same = { ...mended, validators: { etag, lastModified } };
    return { state: same, keep: null, log, events: [] };
  }
  const parsed = parseBody(state.url, body.bytes, isPrivate);
  if (!parsed.ok) {
    const { reason, message, refused } = parsed;
    const verdict = failed(state, { reason, message }, { refused, badDigest: digest });
    return { ...verdict, events: state.badDigest === digest ? [] : [message] };
  }
  const fault = immutableFault(state.objects, parsed.objects);
  if (fault !== null) {
    const problem = { reason: 'Immutable', message: `${state.url}: ${fault}` };
    const verdict = failed(state, problem, { badDigest: digest });
    return { ...verdict, events: state.badDigest === digest ? [] : [problem.message] };
  }
  return { state: accepted(state, body, parsed), keep: body, log, events: parsed.dropped };
}

/** State as the merge takes it. */
export function urlSnapshot(state: UrlState): SourceSnapshot {
  const { url, problem, objects, refused, complete, badDigest } = state;
  const refusedEdit =
    badDigest === null || problem === null ? null : { ...problem, content: badDigest };
  const pods = refusedEdit === null ? state.pods : state.pods.map(pod => ({ ...pod, refusedEdit }));
  const stays = pods.length > 0 ? '; the pods of its last good answer stay' : '';
  const where = problem?.message.startsWith(url) === true ? '' : `${url}: `;
  const condition: SourceCondition =
    problem === null
      ? { type: 'StaticPodURL', status: 'True', reason: 'Answered', message: url }
      : {
          type: 'StaticPodURL',
          status: 'False',
          reason: problem.reason,
          message: `${where}${problem.message}${stays}`,
        };
  return { kind: 'http', complete, pods, refused, conditions: [condition], objects };
}
