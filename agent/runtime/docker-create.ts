/**
 * Creating under a name that may be taken (kubelet row 210): a holder that is ours and the same is it; ours and dead goes;
 * a foreign one is left alone and the new one gets a suffix.
 */
import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode';
import { isNameTaken } from './docker-errors.js';
import { RuntimeError, type EngineId } from './runtime.js';

export interface Naming {
  readonly create: (options: ContainerCreateOptions) => Promise<EngineId>;
  readonly holderOf: (name: string) => Promise<ContainerInspectInfo | null>;
  readonly isOwn: (holder: ContainerInspectInfo) => boolean;
  /** What was to be created is there already. */
  readonly same: (holder: ContainerInspectInfo) => boolean;
  readonly remove: (id: EngineId) => Promise<void>;
  /** Eight random hex digits. */
  readonly randomSuffix: () => string;
}

export async function createNamed(
  options: ContainerCreateOptions,
  name: string,
  naming: Naming,
): Promise<EngineId> {
  for (const tried of [name, name, `${name}_${naming.randomSuffix()}`]) {
    try {
      return await naming.create({ ...options, name: tried });
    } catch (error) {
      if (!isNameTaken(error)) throw error;
      const holder = await naming.holderOf(name);
      if (!holder || !naming.isOwn(holder)) continue;
      if (naming.same(holder)) return holder.Id;
      if (!holder.State.Running) await naming.remove(holder.Id);
    }
  }
  throw new RuntimeError('CreateContainerError', `the name ${name} is taken on the engine`);
}
