/** Many simulated devices in one process: joined, connected so many at a time, cut, told apart by nothing but their names. */
import { setTimeout as delay } from 'node:timers/promises';
import { eachOf } from './at-once.js';
import { beginsAwake, turnMs, type Behaviour } from './behaviour.js';
import { noCounts, type Counts } from './counts.js';
import { LightNode } from './light-node.js';
import { joinAs, openDoor } from './member.js';

/** Joins on their way at once: more would only wait for the hub's processor. */
const JOINS_AT_ONCE = 8;
const STEP_MS = 5_000;
/** As an agent's back-off ends. */
const RECONNECT_MS = 60_000;

export interface FleetOptions {
  readonly names: readonly string[];
  /** Join lines, used up in turn: each lets in as many as its token says. */
  readonly lines: readonly { readonly text: string; readonly uses: number }[];
  readonly behaviour: Behaviour;
  readonly random: () => number;
  readonly onJoined?: (count: number) => void;
}

export class Fleet {
  readonly nodes: readonly LightNode[];
  readonly counts: Counts;
  readonly #behaviour: Behaviour;
  readonly #random: () => number;
  readonly #stepping: NodeJS.Timeout;
  #isOver = false;

  private constructor(nodes: readonly LightNode[], counts: Counts, options: FleetOptions) {
    this.nodes = nodes;
    this.counts = counts;
    this.#behaviour = options.behaviour;
    this.#random = options.random;
    this.#stepping = setInterval(() => this.nodes.forEach(node => node.step()), STEP_MS);
  }

  /** Throws `JoinError` when one is refused. */
  static async join(options: FleetOptions): Promise<Fleet> {
    const counts = noCounts();
    const { behaviour, random } = options;
    const nodes: LightNode[] = [];
    const left = [...options.names];
    for (const { text, uses } of options.lines) {
      const door = await openDoor(text);
      const names = left.splice(0, uses);
      await eachOf(names, JOINS_AT_ONCE, async name => {
        const member = await joinAs(name, door);
        nodes.push(new LightNode(member, { root: door.root, behaviour, random, counts }));
        options.onJoined?.(nodes.length);
      });
    }
    if (left.length > 0)
      throw new Error(`the join lines let in ${nodes.length} of ${options.names.length}`);
    return new Fleet(nodes, counts, options);
  }

  /** So many at a time; who is refused or loses its connection tries again, as an agent does. Resolves when all were connected once. */
  connect(atOnce: number): Promise<void> {
    return eachOf(this.nodes, atOnce, node => this.#hold(node));
  }

  /** Assignments come and wait, until they are released: so many devices have a processor each, these share one. */
  hold(): void {
    for (const node of this.nodes) node.hold();
  }

  release(): void {
    for (const node of this.nodes) node.release();
  }

  /** Each sleeps and wakes by itself, as its behaviour says, until the fleet is closed. */
  live(): void {
    for (const node of this.nodes) {
      const isAwake = beginsAwake(this.#behaviour, this.#random);
      void this.#life(node, isAwake);
    }
  }

  /** The power of all is cut at once. */
  cut(): void {
    for (const node of this.nodes) node.cut();
  }

  close(): void {
    this.#isOver = true;
    clearInterval(this.#stepping);
    this.cut();
  }

  async #life(node: LightNode, begins: boolean): Promise<void> {
    let [isAwake, isFirst] = [begins, true];
    while (!this.#isOver) {
      if (isAwake) await this.#hold(node);
      else node.cut();
      const wait = turnMs(this.#behaviour, { isAwake, isFirst }, this.#random);
      if (wait === null) return;
      await delay(wait);
      [isAwake, isFirst] = [!isAwake, false];
    }
  }

  async #hold(node: LightNode): Promise<void> {
    for (let waitMs = 1_000; !this.#isOver; waitMs = Math.min(RECONNECT_MS, 2 * waitMs)) {
      try {
        await node.connect(() => void this.#comeBack(node));
        return;
      } catch {
        await delay(waitMs * (0.5 + this.#random() / 2));
      }
    }
  }

  async #comeBack(node: LightNode): Promise<void> {
    await delay(1_000 * this.#random());
    if (!this.#isOver && !node.isConnected) await this.#hold(node);
  }
}
