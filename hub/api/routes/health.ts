/** Health and version: open to anyone, so that they say nothing of the fleet. */
import type { Log } from '../../../protocol/ports.js';
import { RequestError } from '../../ports.js';
import type { Store } from '../../store/store.js';
import { json, text, type Route } from '../request.js';

/** The Kubernetes release whose API the subset follows. */
const KUBERNETES = { major: '1', minor: '30' };

export interface HealthParts {
  readonly store: Store;
  readonly log: Log;
  /** Of Flotilla, semver. */
  readonly version: string;
}

function versionInfo(version: string): object {
  return {
    ...KUBERNETES,
    gitVersion: `v${KUBERNETES.major}.${KUBERNETES.minor}.0+flotilla-${version}`,
    gitCommit: '',
    gitTreeState: '',
    buildDate: '',
    goVersion: '',
    compiler: '',
    platform: '',
  };
}

export function healthRoutes({ store, log, version }: HealthParts): readonly Route[] {
  const common = { method: 'GET', access: 'anyone' } as const;
  const ready = async () => {
    try {
      await store.id();
    } catch (error) {
      log.error('the store does not answer', { error });
      throw new RequestError('ServiceUnavailable', 'the store does not answer');
    }
    return text('ok');
  };
  return [
    { ...common, path: '/livez', handle: async () => text('ok') },
    { ...common, path: '/healthz', handle: ready },
    { ...common, path: '/readyz', handle: ready },
    { ...common, path: '/version', handle: async () => json(versionInfo(version)) },
  ];
}
