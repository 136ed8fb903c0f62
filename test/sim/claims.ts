/**
 * What nodes say on the wire, held against their engines in the same moment: a bundle that becomes healthy runs, all of
 * it. What a fault ended a moment ago may not have been noticed yet.
 */
import { KnownStatuses } from '../../hub/ingest/known-statuses.js';
import type { BundleStatus, StatusDocument } from '../../protocol/documents/node.js';
import { openEnvelope } from '../../protocol/envelope.js';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import type { Content } from './content.js';
import type { Device } from './device.js';
import { linesOf } from './lines.js';

export class Claims {
  /** By node and bundle: the revision that was healthy when it was last spoken of. */
  readonly #healthy = new Map<string, string>();
  readonly #statuses = new KnownStatuses();
  readonly #revisions: ReadonlyMap<string, Content>;
  readonly #breaks: (what: string) => void;

  constructor(revisions: ReadonlyMap<string, Content>, breaks: (what: string) => void) {
    this.#revisions = revisions;
    this.#breaks = breaks;
  }

  /** A status of this device has come to the broker. */
  heard(device: Device, payload: Buffer): void {
    const whole = this.#statuses.whole(device.name, payload);
    const opened =
      whole && openEnvelope(whole, { kind: 'status', bytesMax: 2 * MESSAGE_BYTES_MAX });
    // What differs from a status that was never seen here is asked for again by the hub.
    if (!opened?.ok) return;
    this.#statuses.remember(device.name, opened.value.envelope);
    const { bundles } = JSON.parse(opened.value.payload.toString('utf8')) as StatusDocument;
    for (const bundle of bundles) this.#look(device, bundle);
  }

  #look(device: Device, { name, state, digest, active, attempt }: BundleStatus): void {
    const key = `${device.name} ${name}`;
    const said = `${digest} ${attempt}`;
    if (state !== 'healthy') return void this.#healthy.delete(key);
    if (this.#healthy.get(key) === said) return;
    this.#healthy.set(key, said);
    const content = this.#revisions.get(active ?? '');
    const running = device.running();
    const missing = content ? linesOf(content).filter(one => !running.includes(one)) : [];
    if (digest !== active || (missing.length > 0 && device.isCalm())) {
      const what = missing.length > 0 ? `${missing.join(', ')} does not run` : 'another is active';
      this.#breaks(`${key} is said to be healthy and ${what}`);
    }
  }
}
