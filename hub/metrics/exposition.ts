/**
 * The hub's figures in Prometheus' text format (0.0.4). Nothing is counted when somebody asks: what is counted over nodes the controller
 * counted last, so that a scrape takes as long with 10,000 nodes as with ten.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Clock } from '../../protocol/ports.js';
import { countedIn, type Counted } from './counted.js';
import { gaugesOf, type Snapshot } from './gauges.js';
import { watchProcess } from './process.js';

export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

export interface Metrics extends Counted {
  exposition(now: Snapshot): Promise<Exposition>;
  close(): Promise<void>;
}

/** Begins to watch this process, until it is closed. */
export function hubMetrics(clock: Clock): Metrics {
  const registry = new Registry();
  const close = watchProcess(registry, clock);
  return {
    ...countedIn(registry),
    exposition: async now => {
      const parts = await Promise.all([registryOf(now).metrics(), registry.metrics()]);
      return { contentType: registry.contentType, body: parts.join('\n') };
    },
    close,
  };
}

function registryOf(now: Snapshot): Registry {
  const registry = new Registry();
  for (const { name, help, labels, samples, isCounter } of gaugesOf(now)) {
    if (samples.length === 0) continue;
    const of = { name, help, labelNames: [...labels], registers: [registry] };
    const metric = isCounter ? new Counter(of) : new Gauge(of);
    for (const { labels: own, value } of samples) metric.inc({ ...own }, value);
  }
  return registry;
}
