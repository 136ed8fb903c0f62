/** What a node says of its bundles, at the device and at its hub, and waiting until both say it. */
import { docker } from './docker.js';
import { askAgent, type Playground } from './programs.js';
import { eventually } from './wait.js';

export interface ToldBundle {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly state: string;
  readonly reason: string;
  readonly message: string;
  readonly opensAt?: string;
}

export interface Told {
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly hub: { readonly bundles: readonly ToldBundle[] };
}

/** Waits until it matches. */
export function matches(what: string, text: () => Promise<string>, pattern: RegExp): Promise<true> {
  return eventually(what, async () => {
    const said = await text();
    if (pattern.test(said)) return true as const;
    throw new Error(said);
  });
}

/** Of a node with one bundle. */
export class Device {
  readonly #play: Playground;
  readonly #node: string;

  constructor(play: Playground, node = 'edge-1') {
    this.#play = play;
    this.#node = node;
  }

  /** A command of `flotilla-agent` there. */
  readonly run = (...args: string[]) =>
    this.#play.agent(...args, '--data-dir', this.#play.path(this.#node));

  readonly status = async (): Promise<Told> => {
    const socket = this.#play.path(this.#node, 'agent.sock');
    return JSON.parse(await askAgent(socket, '/status')) as Told;
  };

  /** At the device: what passes by soon is seen there alone. */
  readonly passes = (revision: number, ...states: string[]): Promise<ToldBundle> =>
    eventually(`revision ${revision} is ${states.join(' or ')}`, async () => {
      return as((await this.status()).hub.bundles[0], { revision, states });
    });

  /** At the device, and at the hub as far as that runs: what is asked of either then is told of this. */
  readonly becomes = async (
    revision: number,
    state: string,
    reason?: string,
  ): Promise<ToldBundle> => {
    const wanted = { revision, states: [state], reason };
    const what = `revision ${revision} is ${state} ${reason ?? ''}`;
    const told = await eventually(what, async () =>
      as((await this.status()).hub.bundles[0], wanted),
    );
    if (!this.#play.isRunning('hub')) return told;
    await eventually(`the hub knows that ${what}`, async () =>
      as((await this.#atHub()).status.flotilla.bundles[0], wanted),
    );
    return told;
  };

  #atHub(): Promise<AtHub> {
    return this.#play.askHub<AtHub>(`/api/v1/nodes/${this.#node}`);
  }

  /** What Docker says of its containers named `app`; `show`: a template of its own. */
  readonly apps = (show: string): string =>
    docker(
      ...['ps', '--no-trunc', '--format', show],
      ...['--filter', `label=flotilla.dev/owner=${this.#play.path(this.#node)}`],
      ...['--filter', 'label=io.kubernetes.container.name=app'],
    );
}

interface AtHub {
  readonly status: { readonly flotilla: { readonly bundles: readonly ToldBundle[] } };
}

function as(
  told: ToldBundle | undefined,
  wanted: {
    readonly revision: number;
    readonly states: readonly string[];
    readonly reason?: string | undefined;
  },
): ToldBundle {
  const { revision, states, reason } = wanted;
  const isIt = told?.revision === revision && states.includes(told.state);
  if (isIt && (reason === undefined || told.reason.includes(reason))) return told;
  throw new Error(JSON.stringify(told));
}
