/** Rows of the attack list as tests: each file of rows has fleets of its own, made when first asked for. */
import { after, describe, test } from 'node:test';
import { noEngine } from '../docker.js';
import { Victim } from './victim.js';

export interface Row {
  /** `S01` … `S99`. */
  readonly id: string;
  /** In a few words: what the attacker does. */
  readonly title: string;
  /**
   * Position B of the list: what it takes is a place at the broker or the network. It is tried twice: on a broker that
   * allows everything to everyone, and, as `open` then gives it, on one that keeps everybody to his topics, where the
   * attacker is left with the certificate of another device.
   */
  readonly isBroker?: true;
  /** Throws where the attack succeeds. */
  readonly run: (stage: Stage) => Promise<void>;
}

/** The fleets that the rows of a file share. */
export interface Stage {
  /** Its broker lets everybody do everything. */
  readonly open: () => Promise<Victim>;
  /** Its broker keeps everybody to his topics. */
  readonly guarded: () => Promise<Victim>;
}

class Fleets implements Stage {
  readonly #made = new Map<boolean, Promise<Victim>>();

  readonly open = () => this.#get(false);
  readonly guarded = () => this.#get(true);

  #get(acl: boolean): Promise<Victim> {
    const victim = this.#made.get(acl) ?? Victim.open({ acl });
    this.#made.set(acl, victim);
    return victim;
  }

  async close(): Promise<void> {
    const made = [...this.#made.values()];
    this.#made.clear();
    for (const victim of made) await victim.then(opened => opened.close()).catch(() => undefined);
  }
}

/** `what` they are attacks on. */
export function attacks(what: string, rows: readonly Row[]): void {
  describe(`attacks on ${what}`, { skip: noEngine() }, () => {
    const fleets = new Fleets();
    after(() => fleets.close());
    const attempt = (name: string, run: () => Promise<void>) =>
      test(name, async () => {
        try {
          await run();
        } catch (error) {
          // What an attack left behind must not make the next row fail.
          await fleets.close();
          throw error;
        }
      });
    for (const { id, title, run } of rows) attempt(`${id}: ${title}`, () => run(fleets));
    const { guarded } = fleets;
    for (const { id, title, run } of rows.filter(({ isBroker }) => isBroker)) {
      attempt(`${id}, with rules: ${title}`, () => run({ open: guarded, guarded }));
    }
  });
}
