/** A source of pods with the sealed Secrets of their bundles beside what it has itself. */
import type { PodSource } from '../pods/desired.js';
import type { SealedSecrets } from './sealed-secrets.js';

export function withSealedSecrets(
  source: PodSource,
  sealed: Pick<SealedSecrets, 'objects' | 'onChange'>,
): PodSource {
  return {
    snapshot() {
      const snapshot = source.snapshot();
      return { ...snapshot, objects: [...snapshot.objects, ...sealed.objects()] };
    },
    onChange(listener) {
      const ends = [source.onChange(listener), sealed.onChange(listener)];
      return () => ends.forEach(end => end());
    },
  };
}
