/**
 * A URL as a source of pods: asks at once and then at a fixed interval, and says what it wants. Begins with the last
 * good answer of an earlier life (kubelet behaviour rows 32 to 43).
 *
 * What an answer means is decided in `url-decide.ts`. No header's value, and nothing of the URL beyond host and path,
 * is logged or shown.
 */
import type { Clock, Log } from '../../protocol/ports.js';
import type { EventSink } from '../ports.js';
import type { PodSource } from '../pods/desired.js';
import { readAuthorities } from './authorities.js';
import { httpGet, type Headers } from './http-get.js';
import { openLastBody, type KeptBody } from './last-body.js';
import type { ProxyVariables } from './proxy-choice.js';
import {
  applyOutcome,
  firstUrlState,
  urlSnapshot,
  withKeptBody,
  type UrlState,
  type Verdict,
} from './url-decide.js';

export const HTTP_CHECK_FREQUENCY_MS = 20_000;
const TIMEOUT_MS = 10_000;

export interface UrlSourceOptions {
  /** `http://` or `https://`; credentials in it are sent as Basic authentication. */
  readonly url: string;
  /** Values by header name; sent with each request, never shown. */
  readonly headers: Headers;
  readonly dataDir: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventSink;
  readonly httpCheckFrequencyMs?: number;
  /** More certificate authorities in PEM: NODE_EXTRA_CA_CERTS. */
  readonly extraAuthoritiesFile?: string | null;
  readonly proxies: ProxyVariables;
}

export interface UrlSource extends PodSource {
  /** Ends the polls; what runs is not touched. */
  stop(): Promise<void>;
}

/** Resolves when the last good answer is read; the server is asked meanwhile. */
export async function openUrlSource(options: UrlSourceOptions): Promise<UrlSource> {
  const { url, headers, dataDir, clock, log, events, nodeName } = options;
  const everyMs = options.httpCheckFrequencyMs ?? HTTP_CHECK_FREQUENCY_MS;
  const lastBody = openLastBody(dataDir, url);
  const listeners = new Set<() => void>();
  const ending = new AbortController();
  let state: UrlState = withKeptBody(firstUrlState(url), await lastBody.load());
  let authorities: readonly string[] | null = null;

  async function keep(body: KeptBody): Promise<void> {
    try {
      await lastBody.put(body);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      log.warn('the answer of the static pod URL cannot be kept', { detail });
    }
  }

  function tell({ log: line, events: warnings }: Verdict): void {
    const fields = { url: state.url };
    if (line?.level === 'warn') {
      log.warn('the static pod URL gives nothing to use', { ...fields, detail: line.message });
    } else if (line !== null) log.info('the static pod URL answers again', fields);
    const involved = {
      kind: 'Node',
      namespace: '',
      name: nodeName,
      uid: '',
      fieldPath: '',
    } as const;
    for (const message of warnings) {
      events.record({ type: 'Warning', reason: 'FailedValidation', message, involved });
    }
  }

  async function poll(): Promise<void> {
    if (authorities === null) {
      const isTls = url.startsWith('https:');
      const extra = options.extraAuthoritiesFile ?? null;
      authorities = isTls ? await readAuthorities(extra, log) : [];
    }
    const outcome = await httpGet({
      url,
      headers,
      validators: state.validators,
      timeoutMs: TIMEOUT_MS,
      clock,
      authorities,
      proxies: options.proxies,
      signal: ending.signal,
    });
    if (ending.signal.aborted) return;
    const verdict = applyOutcome(state, outcome);
    const before = state;
    state = verdict.state;
    const { pods, objects, complete, problem } = state;
    const isNews =
      pods !== before.pods ||
      objects !== before.objects ||
      complete !== before.complete ||
      JSON.stringify(problem) !== JSON.stringify(before.problem);
    if (isNews) for (const listener of listeners) listener();
    tell(verdict);
    if (verdict.keep !== null) await keep(verdict.keep);
  }

  async function run(): Promise<void> {
    while (!ending.signal.aborted) {
      await poll();
      await clock.sleep(everyMs, ending.signal);
    }
  }

  const running = run();
  return {
    snapshot: () => urlSnapshot(state),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async stop() {
      ending.abort();
      await running;
    },
  };
}
