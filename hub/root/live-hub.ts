/**
 * The running hub's keys and root: what `loadHub` read, replaced as a whole when a new root is in force. Who holds this object reads
 * what counts now.
 */
import type { TrustedRoot } from '../../protocol/verified.js';
import { openNextRoot } from '../../protocol/verify-root.js';
import { hubPaths } from '../setup/config.js';
import { loadHubUnder, type LoadedHub } from '../setup/load.js';
import { writePrivateFile } from '../setup/private-files.js';
import { SetupError } from '../setup/setup-error.js';
import type { Store } from '../store/store.js';

export class LiveHub {
  #now: LoadedHub;

  constructor(hub: LoadedHub) {
    this.#now = hub;
  }

  /** Reads through to what is in force: to be handed to the parts. */
  view(): LoadedHub {
    const now = () => this.#now;
    const names = Object.keys(this.#now) as (keyof LoadedHub)[];
    const getters = names.map(
      name => [name, { enumerable: true, get: () => now()[name] }] as const,
    );
    return Object.defineProperties({}, Object.fromEntries(getters)) as LoadedHub;
  }

  now(): LoadedHub {
    return this.#now;
  }

  root(): TrustedRoot {
    return this.#now.root;
  }

  /** This hub as it would be under that root. Throws `SetupError` when it could not go on. */
  under(root: TrustedRoot): LoadedHub {
    return loadHubUnder(this.#now.dataDir, root);
  }

  /** The root is in the store: from now on it counts here. Calling it again is safe. */
  adopt(hub: LoadedHub): void {
    writePrivateFile(hubPaths(hub.dataDir).root, hub.root.envelope);
    this.#now = hub;
  }

  /** What lies in the data directory was changed, under the same root. Throws `SetupError`. */
  reload(): LoadedHub {
    return (this.#now = this.under(this.root()));
  }

  /** After a crash the store may be ahead of the file: each step is checked again. Throws `SetupError`. */
  async catchUp(store: Pick<Store, 'root'>): Promise<void> {
    let root = this.root();
    for (;;) {
      const record = await store.root(root.document.version + 1);
      if (!record) break;
      const next = openNextRoot(record.envelope, root);
      if (!next.ok) {
        const where = `the store's root ${record.version}`;
        throw new SetupError('Corrupt', `${where}: ${next.refusal.detail}; restore a backup`);
      }
      root = next.value;
    }
    if (root !== this.root()) this.adopt(this.under(root));
  }
}

/** A signer that signs with the key in force. */
export function liveSigner(live: LiveHub): LoadedHub['hubSigner'] {
  return {
    get publicKey() {
      return live.now().hubSigner.publicKey;
    },
    sign: message => live.now().hubSigner.sign(message),
  };
}
