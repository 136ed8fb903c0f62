/** Where a pod comes from, as people read it. Pure. */
import type { PodExtra } from './objects.js';

/** Of a pod that no bundle brought: somebody put it into the node's directory, or its URL serves it. */
export function localText(source: PodExtra['source']): string {
  return `local (${source === 'http' ? 'url' : source})`;
}
