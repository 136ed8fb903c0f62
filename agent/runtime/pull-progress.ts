/** How far a pull is, from what the engine says line by line (Docker's `JSONMessage`); Podman says nothing of it. Pure. */

import type { PullProgress } from './images.js';

export interface ProgressLine {
  readonly id?: string;
  readonly status?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
}

/** What comes after the download of a layer. */
const DOWNLOADED: ReadonlySet<string> = new Set([
  'Verifying Checksum',
  'Download complete',
  'Extracting',
  'Pull complete',
]);

export class PullCounter {
  readonly #layers = new Map<string, { done: number; total: number }>();

  /** Null: the line says nothing new of it. */
  note({ id, status = '', progressDetail = {} }: ProgressLine): PullProgress | null {
    if (id === undefined) return null;
    const { current, total } = progressDetail;
    if (status === 'Downloading' && current !== undefined && total !== undefined) {
      this.#layers.set(id, { done: current, total });
      return this.#sum();
    }
    const layer = this.#layers.get(id);
    if (layer === undefined || layer.done === layer.total || !DOWNLOADED.has(status)) return null;
    layer.done = layer.total;
    return this.#sum();
  }

  #sum(): PullProgress {
    const layers = [...this.#layers.values()];
    return {
      doneBytes: layers.reduce((sum, { done }) => sum + done, 0),
      knownBytes: layers.reduce((sum, { total }) => sum + total, 0),
    };
  }
}
