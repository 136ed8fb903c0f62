/**
 * Health and version: open to anyone, so that they say nothing of the fleet. As the API server of Kubernetes has them: `livez` says that
 * this process answers, `healthz` that its store does, `readyz` that it can do its work; `?verbose` lists the checks, `?exclude=NAME` leaves
 * one out, `/readyz/NAME` asks for one alone. A check that fails is 500 and listed, which is what kubectl shows.
 */
import type { Log } from '../../../protocol/ports.js';
import { RequestError } from '../../ports.js';
import { json, param, text, type Answer, type ApiRequest, type Route } from '../request.js';

/** The Kubernetes release whose API the subset follows. */
const KUBERNETES = { major: '1', minor: '30' };

export interface HealthCheck {
  readonly name: string;
  /** A sentence for anybody to read; null: nothing is wrong. What it rejects with is logged and not told. */
  readonly fault: () => Promise<string | null>;
}

/** How much the API has to do. */
export interface ApiLoad {
  readonly connections: number;
  /** Of those, how many speak another protocol. */
  readonly upgraded: number;
}

export interface HealthParts {
  /** Whether the hub can do its work. That it answers at all is a check of its own. */
  readonly checks: readonly HealthCheck[];
  readonly log: Log;
  /** Of Flotilla, semver. */
  readonly version: string;
}

const PING: HealthCheck = { name: 'ping', fault: async () => null };
/** What a hub needs whose broker is away. */
const HEALTHY_WITH = ['store'];

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

export function healthRoutes({ checks, log, version }: HealthParts): readonly Route[] {
  const common = { method: 'GET', access: 'anyone' } as const;
  const faultOf = async ({ name, fault }: HealthCheck): Promise<string | null> => {
    try {
      return await fault();
    } catch (error) {
      log.error('a check of health failed', { check: name, error });
      return 'see the log of the hub';
    }
  };
  const look = async (
    endpoint: string,
    of: { readonly checks: readonly HealthCheck[]; readonly isVerbose: boolean },
  ): Promise<Answer> => {
    const faults = await Promise.all(of.checks.map(faultOf));
    const isWell = faults.every(fault => fault === null);
    if (isWell && !of.isVerbose) return text('ok');
    const lines = of.checks.map(({ name }, i) => {
      const fault = faults[i] ?? null;
      return fault === null ? `[+]${name} ok` : `[-]${name} failed: ${fault}`;
    });
    lines.push(`${endpoint} check ${isWell ? 'passed' : 'failed'}`, '');
    return text(lines.join('\n'), undefined, isWell ? 200 : 500);
  };
  const endpoint = (name: string, all: readonly HealthCheck[]): Route[] => [
    {
      ...common,
      path: `/${name}`,
      handle: async ({ query }: ApiRequest) => {
        const excluded = query.getAll('exclude').flatMap(value => value.split(','));
        const checked = all.filter(check => !excluded.includes(check.name));
        return look(name, { checks: checked, isVerbose: query.has('verbose') });
      },
    },
    {
      ...common,
      path: `/${name}/:check`,
      handle: async request => {
        const wanted = param(request, 'check');
        const check = all.find(known => known.name === wanted);
        if (check === undefined) throw new RequestError('NotFound', `${name} has no such check`);
        return look(name, { checks: [check], isVerbose: request.query.has('verbose') });
      },
    },
  ];
  return [
    ...endpoint('livez', [PING]),
    ...endpoint('healthz', [PING, ...checks.filter(({ name }) => HEALTHY_WITH.includes(name))]),
    ...endpoint('readyz', [PING, ...checks]),
    { ...common, path: '/version', handle: async () => json(versionInfo(version)) },
  ];
}
