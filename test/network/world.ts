/**
 * A hub, Mosquitto and two agents, each a program of its own; the agents live in a namespace behind a wire
 * (wire.ts), on engines in memory. Knows what must be true of a rollout, whatever the wire does.
 */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { KillEngine } from '../kill/engine.js';
import { podManifest } from '../support/fleet.js';
import { freePort } from '../support/ports.js';
import {
  AGENT_PROGRAM,
  askAgent,
  HUB_PROGRAM,
  Playground,
  writeMosquitto,
} from '../support/programs.js';
import { eventually } from '../support/wait.js';
import { Wire } from './wire.js';

const MOSQUITTO = '/usr/sbin/mosquitto';
/** More rollouts than there are scenarios. */
const REVISIONS_MAX = 60;
const IMAGES = Array.from({ length: REVISIONS_MAX }, (_, i) => `web:${i + 1}`);

type Env = Readonly<Record<string, string>>;

export interface WorldOptions {
  readonly nodes: readonly string[];
  /** Image of what changes with each revision; `here`: this machine's address on the wire. */
  readonly images: (here: string) => readonly string[];
  /** Which link goes over the wire: that of the agents, or that of the hub (then the broker is with the agents). */
  readonly bad: 'agents' | 'hub';
  /** For programs, clocks for example. */
  readonly env: { readonly hub: Env; readonly agent: Env };
}

const DEFAULTS: WorldOptions = {
  nodes: ['edge-1', 'edge-2'],
  images: () => [],
  bad: 'agents',
  env: { hub: {}, agent: {} },
};

interface EventItem {
  readonly reason: string;
  readonly flotilla: { readonly n: number; readonly node: string };
}

interface NodeItem {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly flotilla: {
      readonly generation: number;
      readonly lastRefusal?: object | null;
      readonly said?: { readonly boot: number; readonly counter: number };
      readonly bundles?: readonly { name: string; revision: number; state: string }[];
    };
  };
}

interface AgentSays {
  readonly hub: { readonly connected: boolean } | null;
  readonly journal: { readonly unconfirmedEvents: number };
}

/** What ran on a node before something was done to the wire. */
interface Before {
  readonly keeps: string;
  readonly starts: number;
}

export class NetworkWorld {
  readonly play = new Playground();
  readonly engines = new Map<string, KillEngine>();
  wire!: Wire;
  /** Where Mosquitto listens. */
  mqtt = 0;
  readonly nodes: readonly string[];
  readonly bad: WorldOptions['bad'];
  readonly #options: WorldOptions;
  #images: readonly string[] = IMAGES;
  #image = '';
  revision = 0;

  constructor(options: Partial<WorldOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options };
    this.nodes = this.#options.nodes;
    this.bad = this.#options.bad;
  }

  async begin(): Promise<void> {
    const { play } = this;
    this.wire = await Wire.lay();
    this.#images = [...IMAGES, ...this.#options.images(this.wire.here)];
    const api = await freePort();
    this.mqtt = await freePort();
    const at = `${this.bad === 'agents' ? this.wire.here : this.wire.there}:${this.mqtt}`;
    const broker = ['--broker', `mqtts://${at}`];
    const listen = ['--listen', `127.0.0.1:${api}`, ...broker];
    await play.ok('hub', 'init', '--data-dir', play.path('hub'), ...listen);
    await writeMosquitto(play, this.mqtt, '--listen', at);
    this.startBroker();
    this.startHub();
    await play.hubAnswers();
    for (const kind of ['nodes', 'events']) this.#watch(kind);
    for (const node of this.nodes) await this.#join(node);
    await this.apply();
    await this.arrived();
  }

  startHub(): void {
    const args = [HUB_PROGRAM, 'hub', 'run', '--data-dir', this.play.path('hub')];
    this.play.start('hub', process.execPath, args, this.#options.env.hub);
  }

  startBroker(): void {
    const args = ['-c', this.play.path('mosquitto/mosquitto.conf')];
    if (this.bad === 'agents') this.play.start('mosquitto', MOSQUITTO, args);
    else this.play.start('mosquitto', ...this.wire.inside(MOSQUITTO, ...args));
  }

  /** Started in the namespace. */
  startAgent(node: string, env: Env = this.#options.env.agent): void {
    const sockets = ['--engine-socket', this.play.path(`${node}.sock`)];
    const where = ['--data-dir', this.play.path(node), ...sockets];
    const args = [AGENT_PROGRAM, 'run', ...where, '--file-check-frequency', '2s'];
    const [program, inside] = this.wire.inside(process.execPath, ...args);
    this.play.start(node, program, inside, env);
  }

  /** The next revision: `changes` gets another image, `stays` does not. Gives the image. */
  async apply(image = IMAGES[this.revision] ?? ''): Promise<string> {
    const { play } = this;
    this.revision++;
    this.#image = image;
    const brief = (pod: Record<string, unknown>) => {
      const spec = pod['spec'] as Record<string, unknown>;
      return JSON.stringify({ ...pod, spec: { ...spec, terminationGracePeriodSeconds: 1 } });
    };
    play.write('shop/stays.json', brief(podManifest('stays', 'web:1')));
    play.write('shop/changes.json', brief(podManifest('changes', image)));
    const how = ['--all-nodes', '--min-ready', '0s', '--progress-deadline', '10m'];
    await play.ok('apply', '-f', play.path('shop'), ...how);
    return image;
  }

  /** A pod that a person put there, and took away again: things happen that the hub is to hear of. */
  async happen(node: string): Promise<void> {
    const { play } = this;
    const name = `local-${this.revision}`;
    const file = `${node}/manifests/${name}.json`;
    const runs = () => this.containers(node, name).length === 1;
    play.write(file, JSON.stringify(podManifest(name, 'web:1')));
    await eventually(`${name} runs`, runs);
    rmSync(play.path(file));
    await eventually(`${name} is gone`, () => !runs());
  }

  before(node: string): Before {
    const [keeps = ''] = this.containers(node, 'stays');
    assert.notEqual(keeps, '', `stays runs on ${node}`);
    return { keeps, starts: this.engine(node).starts.length };
  }

  /** The newest revision is healthy on all nodes, and the hub knows; what it knew of a node never went back. */
  async arrived(withinMs = 300_000): Promise<void> {
    for (const node of this.nodes) {
      const statuses = () => this.#watched<NodeItem>('nodes').filter(one => isOf(one, node));
      const healthy = () => {
        const bundles = statuses().at(-1)?.status.flotilla.bundles;
        const told = bundles?.find(({ name }) => name === 'shop');
        return told?.revision === this.revision && told.state === 'healthy';
      };
      await eventually(`revision ${this.revision} is healthy on ${node}`, healthy, { withinMs });
      const words = statuses().map(({ status: { flotilla } }) => [
        ...[flotilla.said?.boot ?? 0, flotilla.said?.counter ?? 0],
      ]);
      assert.deepEqual(
        words,
        [...words].sort(inOrder),
        `statuses of ${node}, as the hub took them`,
      );
      const generations = statuses().map(({ status }) => [status.flotilla.generation]);
      assert.deepEqual(generations, [...generations].sort(inOrder), `generations of ${node}`);
      const refusal = statuses().at(-1)?.status.flotilla.lastRefusal ?? null;
      assert.equal(refusal, null, `a bad network is no attack: ${JSON.stringify(refusal)}`);
    }
  }

  /** Nothing waits in an outbox; the hub took each event once, in the order in which they happened. */
  async eventsArrived(withinMs = 300_000): Promise<void> {
    for (const node of this.nodes) {
      const sent = async () => (await this.asked(node)).journal.unconfirmedEvents === 0;
      await eventually(`the outbox of ${node} is empty`, sent, { withinMs, everyMs: 200 });
    }
    const { items } = await this.play.json<{ items: EventItem[] }>('get', 'events', '-A');
    const watched = () => this.#watched<EventItem>('events');
    await eventually('the watch shows all events', () => watched().length >= items.length);
    const lost = items.filter(({ reason }) => /^Events(Lost|Dropped)$/.test(reason));
    assert.deepEqual(lost, []);
    for (const node of this.nodes) {
      const numbers = watched().map(({ flotilla }) => (flotilla.node === node ? flotilla.n : 0));
      const told = numbers.filter(n => n > 0);
      const all = told.map((_, i) => i + 1);
      assert.deepEqual(told, all, `events of ${node}: each once, in order, none missing`);
    }
  }

  /** What did not change was not touched; what did began once. */
  untouched(node: string, { keeps, starts }: Before): void {
    const engine = this.engine(node);
    assert.deepEqual(this.containers(node, 'stays'), [keeps], `stays on ${node}`);
    const begun = engine.starts.slice(starts).filter(one => !one.startsWith('local-'));
    const pod = node === 'edge-1' ? 'changes' : `changes-${node}`;
    assert.deepEqual(begun, [`${pod} ${this.#image}`], `begun on ${node}`);
    assert.deepEqual(engine.twice, [], node);
  }

  async asked(node: string): Promise<AgentSays> {
    const text = await askAgent(this.play.path(node, 'agent.sock'), '/status');
    return JSON.parse(text) as AgentSays;
  }

  /** How often the hub said that. */
  hubSaid(words: string): number {
    return this.play.log('hub').split(words).length - 1;
  }

  async isConnected(node: string): Promise<boolean> {
    return (await this.asked(node)).hub?.connected === true;
  }

  /** Gives what the wire did. */
  async close(): Promise<string> {
    await this.play.close();
    for (const engine of this.engines.values()) await engine.close();
    return this.wire.close();
  }

  /** Each change that the hub makes, in order. */
  #watch(kind: string): void {
    const args = ['get', kind, '-A', '-w', '-o', 'json'];
    const env = { KUBECONFIG: this.play.path('hub/admin.kubeconfig') };
    this.play.start(kind, process.execPath, [HUB_PROGRAM, ...args], env);
  }

  #watched<T>(kind: string): T[] {
    const documents = this.play.log(kind).split(/(?<=^})\n/m);
    return documents.filter(text => /^}$/m.test(text)).map(text => JSON.parse(text) as T);
  }

  async #join(node: string): Promise<void> {
    const { play } = this;
    const socket = play.path(`${node}.sock`);
    this.engines.set(node, await KillEngine.listen(socket, this.#images));
    const token = play.write(`${node}.token`, await play.ok('token', 'create'));
    const dir = ['--node-name', node, '--data-dir', play.path(node)];
    const { code, stderr } = await play.agent('join', '--token-file', token, ...dir);
    assert.equal(code, 0, stderr);
    mkdirSync(play.path(node, 'manifests'), { recursive: true });
    this.startAgent(node);
  }

  engine(node: string): KillEngine {
    const engine = this.engines.get(node);
    if (!engine) throw new Error(`no engine of ${node}`);
    return engine;
  }

  /** Ids of the pod's application containers that run. */
  containers(node: string, pod: string): string[] {
    const names = [pod, `${pod}-${node}`];
    const running = this.engine(node).running();
    return running.filter(one => names.includes(one.pod)).map(({ id }) => id);
  }
}

const isOf = (item: NodeItem, node: string) => item.metadata.name === node;

function inOrder(one: readonly number[], other: readonly number[]): number {
  const at = one.findIndex((n, i) => n !== other[i]);
  return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
}
