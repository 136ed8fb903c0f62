/** A real hub with a broker of either kind and a fleet of simulated devices, all joined and heard: what benches of the hub begin with. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, ApiError } from '../../hub/cli/client.js';
import { loadKubeconfig } from '../../hub/cli/kubeconfig.js';
import { loadHub, type LoadedHub } from '../../hub/setup/load.js';
import { freePort } from '../support/ports.js';
import { Playground, writeMosquitto } from '../support/programs.js';
import { eventually } from '../support/wait.js';
import { benchPod } from './delivered.js';
import { nowNs } from './fleet/counts.js';
import { FleetProcess, type FleetCounts } from './fleet/fleet-process.js';

/** A token lets in no more. */
const USES_MAX = 1000;
/** Connections on their way at once. */
export const CONNECTS_AT_ONCE = 200;
/** For ten thousand on a slow machine. */
const PATIENCE = { withinMs: 1_800_000, everyMs: 50 };
const NS_PER_MS = 1e6;
const BUNDLE = '/apis/flotilla.dev/v1/namespaces/default/bundles/bench';

export type BrokerKind = 'embedded' | 'mosquitto';

export class SimulatedFleet {
  readonly play = new Playground();
  readonly fleet = new FleetProcess();
  readonly names: readonly string[];
  readonly #kind: BrokerKind;
  #mqtt = 0;

  constructor(kind: BrokerKind, count: number) {
    this.#kind = kind;
    this.names = Array.from({ length: count }, (_, i) => `edge-${i + 1}`);
  }

  get mqttPort(): number {
    return this.#mqtt;
  }

  hub(): LoadedHub {
    return loadHub(this.play.path('hub'));
  }

  /** Until every device is connected and its first status is recorded. Gives the hub's memory before and after, in bytes. */
  async start(): Promise<{ emptyBytes: number; fullBytes: number }> {
    const { play, fleet, names } = this;
    const [api, mqtt] = [await freePort(), await freePort()];
    this.#mqtt = mqtt;
    const listen = ['--listen', `127.0.0.1:${api}`];
    const isOwn = this.#kind === 'embedded';
    const broker = isOwn
      ? ['--mqtt-listen', `127.0.0.1:${mqtt}`]
      : ['--broker', `mqtts://127.0.0.1:${mqtt}`];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen, ...broker);
    if (!isOwn)
      play.start('broker', '/usr/sbin/mosquitto', ['-c', await writeMosquitto(play, mqtt)]);
    play.startHub();
    await play.hubAnswers();
    const emptyBytes = this.#hubBytes();
    const lines: { text: string; uses: number }[] = [];
    for (let left = names.length; left > 0; left -= USES_MAX) {
      const uses = Math.min(left, USES_MAX);
      const text = (await play.ok('token', 'create', '--uses', String(uses), '--ttl', '1d')).trim();
      lines.push({ text, uses });
    }
    await fleet.ask({ ask: 'join', names, lines });
    await fleet.ask({ ask: 'connect', atOnce: CONNECTS_AT_ONCE });
    await this.#heard('every device is heard', ({ unsaid }) => unsaid === 0);
    return { emptyBytes, fullBytes: this.#hubBytes() };
  }

  /** The first revision, healthy on all. */
  async first(): Promise<void> {
    const { play } = this;
    play.write('bench/app.json', benchPod('app', 'one'));
    await this.fleet.ask({ ask: 'begin' });
    const how = ['--all-nodes', '--min-ready', '0s'];
    await play.ok('apply', '-f', play.path('bench'), '--bundle', 'bench', ...how);
    await this.#all('the first revision runs everywhere');
  }

  /** Another revision, healthy on all. `beganNs`: when the hub was told. */
  async another(word: string): Promise<{ beganNs: number; counts: FleetCounts }> {
    const beganNs = await this.#told(word);
    return { beganNs, counts: await this.#all('the next revision runs everywhere') };
  }

  /** Milliseconds from the word to the hub until the last device has its assignment; none of them does anything before. Healthy on all then. */
  async delivered(word: string): Promise<number> {
    const { fleet, names } = this;
    await fleet.ask({ ask: 'hold' });
    const beganNs = await this.#told(word);
    const is = ({ arrived }: FleetCounts) => arrived >= names.length;
    const { lastArrivalNs } = await this.#heard('the last assignment came', is);
    await fleet.ask({ ask: 'release' });
    await this.#all('what was delivered runs everywhere');
    return (lastArrivalNs - beganNs) / NS_PER_MS;
  }

  async #told(word: string): Promise<number> {
    const client = new ApiClient(loadKubeconfig(this.play.path('hub/admin.kubeconfig'), undefined));
    await this.fleet.ask({ ask: 'begin' });
    try {
      return await eventually('the hub takes it', () => replaced(client, word), PATIENCE);
    } finally {
      client.close();
    }
  }

  /** The power of all is cut at once, and they come back. Milliseconds until the last is connected and heard. */
  async reconnected(): Promise<number> {
    await this.fleet.ask({ ask: 'cut' });
    const began = performance.now();
    await this.fleet.ask({ ask: 'connect', atOnce: CONNECTS_AT_ONCE });
    await this.#heard('every device is heard again', ({ unsaid }) => unsaid === 0);
    return performance.now() - began;
  }

  /** The hub is stopped; its broker, or the same one without the hub, takes the yardstick. */
  async withoutHub(): Promise<void> {
    const { play, fleet } = this;
    await fleet.ask({ ask: 'cut' });
    await play.kill('hub', 'SIGTERM');
    if (this.#kind === 'mosquitto') return;
    const program = join(import.meta.dirname, 'bare-broker.js');
    play.start('broker', process.execPath, [program, play.path('hub')]);
    await eventually('the broker listens', () => play.log('broker').includes('ready'));
  }

  async close(): Promise<void> {
    this.fleet.close();
    await this.play.close();
  }

  #all(what: string): Promise<FleetCounts> {
    const { length } = this.names;
    return this.#heard(what, one => one.healthy >= length && one.unsaid === 0);
  }

  async #heard(what: string, is: (counts: FleetCounts) => boolean): Promise<FleetCounts> {
    return eventually(
      what,
      async () => {
        const counts = await this.fleet.counts();
        return is(counts) ? counts : null;
      },
      PATIENCE,
    );
  }

  #hubBytes(): number {
    const status = readFileSync(`/proc/${this.play.pid('hub')}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
  }
}

/** When it was said, in nanoseconds; false where a status was written in the same moment, so that it has to be said again. */
async function replaced(client: ApiClient, word: string): Promise<number | false> {
  const bundle = await client.call<{ spec: object }>({ path: BUNDLE });
  const manifests = [JSON.parse(benchPod('app', word)) as unknown];
  const beganNs = nowNs();
  try {
    const body = { ...bundle, spec: { ...bundle.spec, manifests } };
    await client.call({ method: 'PUT', path: BUNDLE, body });
    return beganNs;
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'Conflict') return false;
    throw error;
  }
}
