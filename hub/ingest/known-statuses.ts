/**
 * The newest statuses of each node, as far as this process heard them: a node that knows so says what changed since. Kept deflated, and
 * the longest unheard go first; what is not here any more the node says again, whole, when it is not acknowledged. Does no I/O.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { openEnvelope } from '../../protocol/envelope.js';
import { PAYLOAD_BYTES_MAX } from '../../protocol/limits.js';
import { baseName, isRebased, madeWhole } from '../../protocol/rebased-envelope.js';

/** Of one node: the one that it builds on, and those of which it has not heard that they came (it remembers four). */
const OF_A_NODE = 6;
const BYTES_MAX = 64 * 1024 * 1024;

export class KnownStatuses {
  /** By node, the longest unheard first; of each the payloads by name, the longest unused first. */
  readonly #nodes = new Map<string, Map<string, Buffer>>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** A status as it came, made whole; null for one that builds on what is not known here. */
  whole(node: string, payload: Uint8Array): Uint8Array | null {
    if (!isRebased(payload)) return payload;
    const base = (name: string) => this.#base(node, name);
    return madeWhole('status', payload, { base, payloadMax: PAYLOAD_BYTES_MAX });
  }

  /** `envelope`: checked, whole. */
  remember(node: string, envelope: Uint8Array): void {
    const opened = openEnvelope(envelope, { kind: 'status', bytesMax: 2 * PAYLOAD_BYTES_MAX });
    if (!opened.ok) return;
    const { payload } = opened.value;
    const own = this.#nodes.get(node) ?? new Map<string, Buffer>();
    this.#nodes.delete(node);
    this.#nodes.set(node, own);
    this.#drop(own, baseName(payload));
    // What zlib gives is a window on 16 KiB.
    const packed = deflateRawSync(payload, { level: 1 });
    const kept = Buffer.alloc(packed.byteLength, packed);
    own.set(baseName(payload), kept);
    this.#bytes += kept.byteLength;
    const [oldest] = own.keys();
    if (own.size > OF_A_NODE && oldest !== undefined) this.#drop(own, oldest);
    this.#makeRoom();
  }

  #base(node: string, name: string): Buffer | null {
    const own = this.#nodes.get(node);
    const kept = own?.get(name);
    if (!own || !kept) return null;
    own.delete(name);
    own.set(name, kept);
    return inflateRawSync(kept);
  }

  #makeRoom(): void {
    for (const [node, own] of this.#nodes) {
      if (this.#bytes <= this.#bytesMax) return;
      for (const name of [...own.keys()]) this.#drop(own, name);
      this.#nodes.delete(node);
    }
  }

  #drop(own: Map<string, Buffer>, name: string): void {
    this.#bytes -= own.get(name)?.byteLength ?? 0;
    own.delete(name);
  }
}
