/**
 * The pods of a node whose kubelet watches the directory (`runtime: none`): what the kubelet's `/pods` says of them,
 * asked at a fixed interval. Runs nothing, changes nothing. Without an address nothing is ever known.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { NO_FIGURES, type PodFigures } from './tallies.js';
import type { BundleName, PodReport, SourceCondition } from '../ports.js';
import { httpGet } from '../sources/http-get.js';
import { NO_PROXIES } from '../sources/proxy-choice.js';
import { bundleOf, MANIFEST_ANNOTATION } from '../sources/owned-file.js';
import type { Clock, Log } from '../../protocol/ports.js';
import { CONFIG_SOURCE } from './desired.js';
import type { Pods } from './pods.js';

const ASK_MS = 10_000;
/** A question without memory, to a server that needs no credentials. */
const PLAIN = {
  headers: {},
  validators: { etag: null, lastModified: null },
  timeoutMs: 10_000,
  authorities: [],
  proxies: NO_PROXIES,
} as const;

export interface KubeletPodsOptions {
  /** Of `/pods`; null = nobody tells. */
  readonly url: string | null;
  readonly clock: Clock;
  readonly log: Log;
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    throw new Error('the answer is not JSON');
  }
}

/** As far as it is looked into here. */
function isPod(value: unknown): value is Pod {
  if (!isObject(value)) return false;
  const { metadata = {} } = value;
  if (!isObject(metadata)) return false;
  const { name = '', namespace = '', annotations = {} } = metadata;
  const areTexts = isObject(annotations) && Object.values(annotations).every(isText);
  return isText(name) && isText(namespace) && areTexts;
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** The static pods of a kubelet's PodList; throws a sentence when it is none. Pure. */
export function reportsOf(body: Uint8Array): readonly PodReport[] {
  const list = parsed(body);
  if (!isObject(list) || list['kind'] !== 'PodList') throw new Error('the answer is not a PodList');
  // A kubelet without pods says null (row 221).
  const items: unknown[] = Array.isArray(list['items']) ? list['items'] : [];
  const pods = items.filter(isPod);
  if (pods.length < items.length) throw new Error('an item of the PodList is not a Pod');
  return pods
    .filter(({ metadata }) => metadata?.annotations?.[CONFIG_SOURCE] === 'file')
    .map(reportOf)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function reportOf(pod: Pod): PodReport {
  const { name = '', namespace = 'default', annotations = {} } = pod.metadata ?? {};
  const bundle: BundleName | null = bundleOf(pod);
  return {
    key: `${namespace}/${name}`,
    source: bundle === null ? 'file' : 'bundle',
    bundle,
    manifestDigest: annotations[MANIFEST_ANNOTATION] ?? null,
    pod,
  };
}

class KubeletPods implements Pods {
  readonly #options: KubeletPodsOptions;
  readonly #ending = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #asking: Promise<void>;
  #reports: readonly PodReport[] = [];
  #areKnown = false;
  #problem = 'not asked yet';
  #shown = '';

  constructor(options: KubeletPodsOptions) {
    this.#options = options;
    this.#asking = options.url === null ? Promise.resolve() : this.#loop(options.url);
  }

  async #loop(url: string): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        const outcome = await httpGet({ ...PLAIN, url, clock, signal });
        if (outcome.is !== 'body') {
          throw new Error(outcome.is === 'failed' ? outcome.message : 'the answer has no body');
        }
        this.#reports = reportsOf(outcome.body.bytes);
        this.#areKnown = true;
        this.#problem = '';
      } catch (error) {
        if (signal.aborted) return;
        const problem = error instanceof Error ? error.message : String(error);
        if (this.#problem !== problem) log.warn('the kubelet does not tell its pods', { problem });
        // Who is silent may have stopped: what it said last is not held up as true.
        this.#areKnown = false;
        this.#problem = problem;
      }
      this.#show();
      await clock.sleep(ASK_MS, signal);
    }
  }

  #show(): void {
    const shown = JSON.stringify([this.#reports, this.#areKnown, this.#problem]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    for (const listener of this.#listeners) listener();
  }

  areKnown(): boolean {
    return this.#areKnown;
  }

  reports(): readonly PodReport[] {
    return this.#reports;
  }

  conditions(): readonly SourceCondition[] {
    const { url } = this.#options;
    const type = 'Kubelet';
    if (url === null) {
      const message = 'runtime is none and kubeletPods is not set: health of pods is not known';
      return [{ type, status: 'False', reason: 'NotConfigured', message }];
    }
    return this.#problem === ''
      ? [{ type, status: 'True', reason: 'Answers', message: url }]
      : [{ type, status: 'False', reason: 'Silent', message: `${url}: ${this.#problem}` }];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  planText(): string {
    return 'runtime is none: the kubelet runs the pods';
  }

  /** The kubelet decides when it tries again. */
  retry(): boolean {
    return false;
  }

  /** The kubelet ends its pods itself. */
  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  /** The kubelet counts its own. */
  figures(): PodFigures {
    return NO_FIGURES;
  }

  isMoving(): boolean {
    return true;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#asking;
  }
}

export function watchKubelet(options: KubeletPodsOptions): Pods {
  return new KubeletPods(options);
}
