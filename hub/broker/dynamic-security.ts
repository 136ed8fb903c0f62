/**
 * Keeps Mosquitto's dynamic security in step with who belongs to the fleet: lists what is there after
 * every connect, then sends what is missing or too much, in bounded batches, one at a time; after
 * that whenever the standing of a node changes. Level-triggered: what a broker missed while it was
 * away it gets when it is back. Trouble is said once for each kind of it, and tried again every
 * minute. Safety does not rest on it (security.md 1.9).
 */
import type { Clock, Log } from '../../protocol/ports.js';
import { excerpt } from '../../protocol/excerpt.js';
import type { Topics } from '../../protocol/topics.js';
import type { Guest, GuestConnection, Received } from '../link/link-options.js';
import type { Store } from '../store/store.js';
import { answersIn, type Answer, type AnswerData } from './dynamic-security-answers.js';
import {
  afterSteps,
  batches,
  decideSecurity,
  DONE_ALREADY,
  SHARED_ROLES,
  type Held,
  type HeldClient,
  type SecurityCommand,
  type Step,
} from './dynamic-security-decide.js';
import { CONTROL_RESPONSE_TOPIC, CONTROL_TOPIC, type Acl } from './dynamic-security-rules.js';

/** A message is 120 KiB at most, the longest name 63 characters: 200 clients, 1,000 role names. */
const CLIENTS_PAGE = 200;
const ROLES_PAGE = 1_000;
/** Of clients, and of roles: several times the largest fleet. */
const LISTED_MAX = 100_000;
/** Mosquitto writes its whole file at every command and serves nobody meanwhile. */
const BATCH = 10;
const ANSWER_MS = 30_000;
const RETRY_MS = 60_000;

export interface DynamicSecurityOptions {
  readonly store: Store;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly log: Log;
}

export function dynamicSecurity(options: DynamicSecurityOptions): Guest {
  const said = new Set<string>();
  return connection => {
    const session = new Session(options, connection, said);
    void session.run();
    return message => session.receive(message);
  };
}

class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** One connection to the broker. */
class Session {
  readonly #options: DynamicSecurityOptions;
  readonly #connection: GuestConnection;
  /** Troubles that were said, over all connections. */
  readonly #said: Set<string>;
  #asked = 0;
  #answer: { readonly id: string; readonly settle: (answers: readonly Answer[]) => void } | null =
    null;
  #news = false;
  #wake: () => void = () => undefined;

  constructor(options: DynamicSecurityOptions, connection: GuestConnection, said: Set<string>) {
    this.#options = options;
    this.#connection = connection;
    this.#said = said;
  }

  receive({ topic, payload }: Received): boolean {
    if (topic !== CONTROL_RESPONSE_TOPIC) return false;
    const answers = answersIn(payload);
    const waiting = this.#answer;
    if (waiting && answers[0]?.correlationData === waiting.id) waiting.settle(answers);
    return true;
  }

  async run(): Promise<void> {
    const { store, clock } = this.#options;
    const { ended } = this.#connection;
    const end = store.onCommit(touched => {
      if (!touched.has('identity') && !touched.has('dropIdentity')) return;
      this.#news = true;
      this.#wake();
    });
    ended.addEventListener('abort', () => this.#wake());
    while (!ended.aborted) {
      try {
        await this.#keepInStep();
      } catch (error) {
        if (ended.aborted) break;
        this.#say(error instanceof Error ? error.message : String(error));
        await clock.sleep(RETRY_MS, ended);
      }
    }
    end();
  }

  /** Returns with the connection; throws when the broker does not answer or something was refused. */
  async #keepInStep(): Promise<void> {
    const { topics, log, store } = this.#options;
    const { ended } = this.#connection;
    if (!(await this.#connection.subscribe([CONTROL_RESPONSE_TOPIC]))) {
      throw new NoAnswer('the broker refuses the hub its dynamic security');
    }
    let held = await this.#list();
    let isFirst = true;
    while (!ended.aborted) {
      this.#news = false;
      const active = (await store.identities()).filter(({ state }) => state === 'active');
      const wanted = new Set(active.map(({ node }) => node));
      const { steps, foreign } = decideSecurity(held, wanted, topics);
      if (isFirst) this.#reportForeign(foreign);
      isFirst = false;
      let isRefused = false;
      for (const batch of batches(steps, BATCH)) {
        const done = await this.#apply(batch);
        held = afterSteps(held, done, topics);
        isRefused ||= done.length < batch.length;
        // Who is shut out meanwhile does not wait for the rest.
        if (this.#news) break;
      }
      if (steps.length > 0) log.info('the broker was told who belongs to the fleet', counts(steps));
      if (steps.length === 0) this.#said.clear();
      await this.#untilNews(isRefused ? RETRY_MS : null);
      // What was refused may be there in another way than was thought.
      if (isRefused) return;
    }
  }

  /** Gives the steps that the broker took; one that it refuses does not keep the others. */
  async #apply(steps: readonly Step[]): Promise<readonly Step[]> {
    const answers = await this.#ask(steps.flatMap(step => step.commands));
    let at = 0;
    return steps.filter(({ commands }) => {
      const own = answers.slice(at, (at += commands.length));
      const refused = own.find(({ error }) => error !== undefined && !DONE_ALREADY.has(error));
      if (refused) {
        this.#say(`the broker refuses ${refused.command ?? 'a command'}: ${refused.error}`);
      }
      return !refused && own.length === commands.length;
    });
  }

  async #list(): Promise<Held> {
    const clients = new Map<string, HeldClient>();
    const pages = { command: 'listClients', verbose: true, count: CLIENTS_PAGE };
    for await (const data of this.#pages(pages, data => data.clients.length)) {
      for (const client of data.clients) clients.set(client.username, client);
    }
    const roles = new Set<string>();
    const names = { command: 'listRoles', verbose: false, count: ROLES_PAGE };
    for await (const data of this.#pages(names, data => data.roles.length)) {
      for (const role of data.roles) roles.add(role);
    }
    const shared = new Map<string, readonly Acl[]>();
    for (const rolename of SHARED_ROLES.filter(name => roles.has(name))) {
      shared.set(rolename, (await this.#data({ command: 'getRole', rolename })).acls);
    }
    return { clients, roles, shared };
  }

  /** Until all are there, as the broker counts them. */
  async *#pages(
    command: SecurityCommand,
    lengthOf: (data: AnswerData) => number,
  ): AsyncGenerator<AnswerData> {
    for (let [offset, total] = [0, 1]; offset < total;) {
      const data = await this.#data({ ...command, offset });
      const length = lengthOf(data);
      if (length === 0) return;
      offset += length;
      total = data.totalCount;
      if (total > LISTED_MAX) {
        throw new Error(
          `the broker has ${total} for ${command.command}, the limit is ${LISTED_MAX}`,
        );
      }
      yield data;
    }
  }

  async #data(command: SecurityCommand): Promise<AnswerData> {
    const [answer] = await this.#ask([command]);
    if (answer?.data) return answer.data;
    throw new Error(`the broker refuses ${command.command}: ${answer?.error ?? 'no reason given'}`);
  }

  /** The answers of one message, in the order of its commands. */
  async #ask(commands: readonly SecurityCommand[]): Promise<readonly Answer[]> {
    const { clock } = this.#options;
    const id = `${++this.#asked}`;
    const enough = new AbortController();
    const answered = new Promise<readonly Answer[]>(settle => (this.#answer = { id, settle }));
    const body = { commands: commands.map(command => ({ ...command, correlationData: id })) };
    void this.#connection.publish(CONTROL_TOPIC, Buffer.from(JSON.stringify(body)), {
      retain: false,
    });
    const signal = AbortSignal.any([enough.signal, this.#connection.ended]);
    const late = clock.sleep(ANSWER_MS, signal).then(() => null);
    const answers = await Promise.race([answered, late]);
    enough.abort();
    this.#answer = null;
    if (answers) return answers;
    throw new NoAnswer(
      `the broker does not answer on ${CONTROL_TOPIC}: run it with the configuration of ` +
        '`flotilla hub broker-config mosquitto --dynamic-security`, or take dynamicSecurity out of hub.yaml',
    );
  }

  #reportForeign(foreign: readonly string[]): void {
    if (foreign.length === 0) return;
    const names = foreign
      .slice(0, 10)
      .map(name => excerpt(name))
      .join(', ');
    this.#say(`clients at the broker that are not of the fleet are left as they are: ${names}`);
  }

  #say(trouble: string): void {
    if (this.#said.has(trouble)) return;
    this.#said.add(trouble);
    this.#options.log.warn('dynamic security of the broker', { reason: trouble });
  }

  async #untilNews(atMostMs: number | null): Promise<void> {
    const { ended } = this.#connection;
    if (this.#news || ended.aborted) return;
    const enough = new AbortController();
    const news = new Promise<void>(resolve => (this.#wake = resolve));
    const signal = AbortSignal.any([enough.signal, ended]);
    const late = atMostMs === null ? null : this.#options.clock.sleep(atMostMs, signal);
    await (late ? Promise.race([news, late]) : news);
    enough.abort();
  }
}

function counts(steps: readonly Step[]) {
  const of = (action: Step['action']) => steps.filter(step => step.action === action).length;
  return { admitted: of('admit'), mended: of('mend'), removed: of('remove') };
}
