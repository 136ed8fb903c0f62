/**
 * This process, by the names that Prometheus' clients have for it, and how late its event loop is: as a histogram, which two scrapers may
 * read without taking anything from each other.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../../protocol/ports.js';

const LOOP_EVERY_MS = 100;

/** Until the function that it returns is called. */
export function watchProcess(registry: Registry, clock: Clock): () => Promise<void> {
  const registers = [registry];
  const startedAt = clock.now() / 1000 - process.uptime();
  const cpu = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the hub',
    registers,
    collect: () => {
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1e6);
    },
  });
  gauge('process_start_time_seconds', 'When the hub was started', () => startedAt);
  gauge('process_resident_memory_bytes', 'Resident memory of the hub', () =>
    process.memoryUsage.rss(),
  );
  gauge('nodejs_heap_size_used_bytes', 'Memory that JavaScript uses of it', () => {
    return process.memoryUsage().heapUsed;
  });
  const late = new Histogram({
    name: 'flotilla_hub_event_loop_delay_seconds',
    help: `How late the event loop is, looked at every ${LOOP_EVERY_MS} ms: so long everything else waits, too`,
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      const before = clock.monotonic();
      await clock.sleep(LOOP_EVERY_MS, stop.signal);
      if (stop.signal.aborted) return;
      late.observe(Math.max(0, clock.monotonic() - before - LOOP_EVERY_MS) / 1000);
    }
  })();
  return async () => {
    stop.abort();
    await loop;
  };

  function gauge(name: string, help: string, value: () => number): void {
    const metric: Gauge = new Gauge({ name, help, registers, collect: () => metric.set(value()) });
  }
}
