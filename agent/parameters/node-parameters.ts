/**
 * What pods of bundles see of the node's parameters: for each bundle whose revision declares some, a ConfigMap `flotilla-node` with those
 * keys alone that the accepted assignment has. Kept nowhere but in the journal, with the assignment: after a restart, a way back or months
 * without the hub it is what that says. Nothing of it lies in the static pod directory.
 */
import type { BundleDocument } from '../../protocol/documents/bundle.js';
import {
  givenParameters,
  NODE_CONFIG_MAP,
  type Parameters,
} from '../../protocol/node-parameters.js';
import type { Journal } from '../journal/journal.js';
import type { ConfigObject } from '../pods/config-objects.js';

/** A bundle, by the revision that lies in the directory. */
export type Declaring = Pick<BundleDocument, 'namespace' | 'name' | 'parameters'>;

/** One object for each bundle that declares any, be it empty. Pure. */
export function offeredObjects(
  parameters: Parameters,
  bundles: readonly Declaring[],
): ConfigObject[] {
  const given = new Map(Object.entries(givenParameters(parameters)));
  return bundles.flatMap(({ namespace, name, parameters: declared = [] }) => {
    if (declared.length === 0) return [];
    const data = declared.flatMap(key => {
      const value = given.get(key);
      return value === undefined ? [] : [[key, Buffer.from(value)] as const];
    });
    return {
      ...{ kind: 'ConfigMap' as const, namespace, name: NODE_CONFIG_MAP, type: '' },
      ...{ data: new Map(data), isImmutable: false, bundle: { namespace, name } },
      origin: 'parameters of this node',
    };
  });
}

export class NodeParameters {
  readonly #journal: Pick<Journal, 'accepted' | 'bundles' | 'content'>;
  readonly #listeners = new Set<() => void>();
  #known: { readonly of: string; readonly objects: readonly ConfigObject[] } | null = null;

  constructor(journal: Pick<Journal, 'accepted' | 'bundles' | 'content'>) {
    this.#journal = journal;
  }

  objects(): readonly ConfigObject[] {
    const of = this.#standing();
    if (this.#known?.of !== of) this.#known = { of, objects: this.#read() };
    return this.#known.objects;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Another assignment may be accepted, another revision in the directory: tells whoever listens, if it is. */
  look(): void {
    if (this.#known?.of === this.#standing()) return;
    for (const listener of this.#listeners) listener();
  }

  /** What the objects are made of, by digest. */
  #standing(): string {
    const active = this.#journal.bundles().map(({ active }) => active ?? '');
    return [this.#journal.accepted()?.digest ?? '', ...active].join();
  }

  #read(): ConfigObject[] {
    const { accepted, bundles } = {
      accepted: this.#journal.accepted(),
      bundles: this.#journal.bundles(),
    };
    const documents = bundles.flatMap(({ active }) =>
      active === null ? [] : (this.#journal.content.bundleDocument(active) ?? []),
    );
    return offeredObjects(accepted?.document.parameters ?? {}, documents);
  }
}
