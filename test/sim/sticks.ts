/**
 * Files that people carry between hub and nodes in simulated histories: exported at the hub, kept in a drawer, put into a node that
 * has no line or has one, in time or late, into another node, or after they broke; and the receipts that go back.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HttpError } from '../../agent/api/http-error.js';
import { importFile } from '../../agent/carry/import.js';
import type { Message } from '../../agent/report/messages.js';
import { exportFor } from '../../hub/carry/export.js';
import { receiveCarried } from '../../hub/carry/receive.js';
import { assignmentOf } from '../../hub/rollout/director.js';
import { packCarried } from '../../protocol/carried.js';
import { topicsOf } from '../../protocol/topics.js';
import { FLEET } from '../support/fleet.js';
import type { Device } from './device.js';
import type { HubLife } from './hub-life.js';
import type { SimulatedFleet } from './simulated-fleet.js';

/** As `flotilla bundle export` wrote it. */
interface Stick {
  readonly bytes: Buffer;
  /** By node: what its assignment said then. */
  readonly says: ReadonlyMap<string, { readonly epoch: number; readonly generation: number }>;
}

/** What a node answers in a file. */
interface Receipt {
  readonly messages: readonly Message[];
  /** Of the node then, with the number of its newest event. */
  readonly journal: string;
  readonly through: number;
}

const BRINGS_WITHIN_MS = 8 * 60_000;

export class Sticks {
  readonly #fleet: SimulatedFleet;
  readonly #drawer: Stick[] = [];
  #files = 0;

  constructor(fleet: SimulatedFleet) {
    this.#fleet = fleet;
  }

  /** For one node, or for all. */
  async export(nodes: readonly string[] | null): Promise<void> {
    const fleet = this.#fleet;
    const exported = await fleet.byHub(async ({ store, controller, hubSigner }) => {
      await controller.settle();
      const carried = await exportFor({ store, fleet: FLEET, hubSigner }, nodes);
      const records = await Promise.all(carried.nodes.map(node => store.assignment(node)));
      return { carried, assignments: records.flatMap(one => (one ? [assignmentOf(one)] : [])) };
    });
    if (exported === null) return;
    const { carried, assignments } = exported;
    const parts: Uint8Array[] = [];
    const { fleet: of, messages } = carried;
    const packed = packCarried(topicsOf(FLEET), { fleet: of, messages });
    for await (const chunk of packed) parts.push(chunk);
    const says = new Map(
      assignments.map(({ node, epoch, generation }) => [node, { epoch, generation }]),
    );
    this.#drawer.push({ bytes: Buffer.concat(parts), says });
    for (const { node, bundles } of assignments) fleet.allow(node, bundles);
  }

  /** The newest or any; `isTorn`: cut off anywhere. Its receipt is brought back. */
  import(device: Device, { isNewest, isTorn }: { isNewest: boolean; isTorn: boolean }): void {
    const { random, scheduler, folder } = this.#fleet;
    const { actor } = device;
    const at = isNewest ? this.#drawer.length - 1 : Math.floor(random() * this.#drawer.length);
    const stick = this.#drawer[at];
    if (!stick || !actor || !device.isUp()) return;
    const { bytes } = stick;
    const file = join(folder, `stick-${++this.#files}`);
    writeFileSync(file, isTorn ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes);
    scheduler.after(0, actor, () => void this.#importHere(device, { file, stick, isTorn }));
  }

  /** The newest, to a node without a line whom nothing befalls: it accepts what it says, and what is good of that runs. */
  async bringsAll(device: Device): Promise<void> {
    const fleet = this.#fleet;
    const said = this.#drawer.at(-1)?.says.get(device.name);
    if (said === undefined || !device.isUp()) return;
    this.import(device, { isNewest: true, isTorn: false });
    await fleet.pass(BRINGS_WITHIN_MS);
    const { epoch = 0, generation = 0, document } = device.life?.journal.accepted() ?? {};
    if (epoch !== said.epoch || generation < said.generation) {
      const found = `generation ${generation} of epoch ${epoch} is accepted`;
      this.#breaks(device, `a stick brought generation ${said.generation}, and ${found}`);
    }
    const states = new Map(device.statuses().map(one => [one.digest, one.state]));
    for (const { name, digest } of document?.bundles ?? []) {
      const state = states.get(digest);
      if (fleet.revisions.get(digest)?.fate !== 'good' || state === 'healthy') continue;
      this.#breaks(device, `a stick brought ${name}, which is ${state ?? 'nowhere'}`);
    }
  }

  async #importHere(
    device: Device,
    { file, stick, isTorn }: { file: string; stick: Stick; isTorn: boolean },
  ): Promise<void> {
    const { scheduler, random } = this.#fleet;
    const { actor, life } = device;
    if (!actor || !life || life.isPaused()) return;
    const { session, journal } = life;
    const identity = { fleet: FLEET, node: device.name };
    this.#fleet.trace(`${device.name} imports ${file.slice(-8)}${isTorn ? ', torn' : ''}`);
    try {
      const outcome = await importFile(file, { identity, session, journal, loadImages: null });
      const { generation, refused, needsFresh, isForThisNode } = outcome;
      const said = stick.says.get(device.name);
      const epoch = journal.accepted()?.epoch ?? 0;
      const isTaken =
        said === undefined ||
        epoch > said.epoch ||
        (epoch === said.epoch && generation.after >= said.generation);
      const isFine = !isTorn && !needsFresh && Object.keys(refused).length === 0;
      if (isFine && !isTaken) this.#breaks(device, 'did not take an assignment from a stick');
      if (!isForThisNode && generation.after !== generation.before) {
        this.#breaks(device, "took another node's assignment from a stick");
      }
    } catch (error) {
      // Who died on the way takes nothing more from it.
      if (actor.isDead) return;
      if (!(error instanceof HttpError)) throw error;
      this.#fleet.trace(`refused: ${error.message.slice(file.length)}`);
      const isDisk = error.code === 507;
      if (!isTorn && !isDisk) this.#breaks(device, `cannot read a stick: ${error.message}`);
    }
    // Until the bundles are where they go, or somebody has no more patience.
    scheduler.after(Math.floor(random() * 60_000), actor, () => {
      const letters = session.letters();
      const receipt = { messages: letters, journal: journal.id, through: journal.newestEvent() };
      const awayMs = Math.floor(random() * 120_000);
      scheduler.after(awayMs, this.#fleet.person, () => this.#bringBack(device, receipt));
    });
  }

  /** Who finds the hub away has walked in vain. */
  #bringBack(device: Device, { messages, ...said }: Receipt): void {
    const { name } = device;
    const { hub, hubActor, scheduler } = this.#fleet;
    if (!hub || !hubActor || messages.length === 0) return;
    this.#fleet.trace(`the receipt of ${name} is brought to the hub`);
    scheduler.after(0, hubActor, () => {
      const { ingest } = hub;
      const receipt = { fleet: FLEET, messages };
      receiveCarried({ fleet: FLEET, ingest }, receipt)
        .then(() => this.#isThere(device, hub, said))
        .catch((error: unknown) => {
          if (!hubActor.isDead) this.#fleet.trace(`refused: ${String(error)}`);
        });
    });
  }

  /** Who joined anew since then, or began another journal, is believed nothing of before. */
  async #isThere(device: Device, { store }: HubLife, said: Omit<Receipt, 'messages'>) {
    const reporters = await store.reporters(device.name);
    const reporter = reporters.find(({ current }) => current);
    if (!device.isMember || reporter?.journal !== said.journal) return;
    if (reporter.through >= said.through) return;
    const found = `${reporter.through} of ${said.through} events are at the hub`;
    this.#breaks(device, `a receipt was brought, and ${found}`);
  }

  #breaks({ name }: Device, what: string): void {
    this.#fleet.breaks(`${name}: ${what}`);
  }
}
