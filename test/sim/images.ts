/** The images of a simulated engine: what is there, what a registry gives, what is used. */
import type {
  ImageFilesystem,
  ImageStore,
  PullOptions,
  StoredImage,
} from '../../agent/runtime/images.js';
import { RuntimeError, type ImageInfo } from '../../agent/runtime/runtime.js';
import type { RegistryAuth } from '../../protocol/registry-credentials.js';
import type { Call, SimulatedEngine } from './engine.js';

export class SimulatedImages implements ImageStore {
  protected readonly engine: SimulatedEngine;

  constructor(engine: SimulatedEngine) {
    this.engine = engine;
  }

  protected enter(call: Call): void {
    if (!this.engine.up)
      throw new RuntimeError('EngineUnavailable', 'the simulated engine is down');
    this.engine.fault(call);
  }

  async imageStatus(image: string): Promise<ImageInfo | null> {
    this.enter('imageStatus');
    if (/[A-Z\s]/.test(image))
      throw new RuntimeError('InvalidImageName', `invalid reference ${image}`, { retry: 'never' });
    const { images } = this.engine;
    const found = images.get(image) ?? [...images.values()].find(({ id }) => id === image);
    return found ? { id: found.id, repoDigests: found.repoDigests, user: found.user } : null;
  }

  async pullImage(image: string, { auth = [], signal }: PullOptions = {}): Promise<ImageInfo> {
    this.enter('pullImage');
    signal?.throwIfAborted();
    if (!this.engine.registry.has(image))
      throw new RuntimeError('ErrImagePull', `no such image in any registry: ${image}`);
    const password = this.engine.passwords.get(image);
    const opens = (one: RegistryAuth) => one.password === password;
    if (password !== undefined && !auth.some(opens))
      throw new RuntimeError('ErrImagePull', `access to ${image} is denied`);
    this.engine.addImage(image);
    this.engine.acts.push(`pullImage ${image}`);
    return (await this.imageStatus(image)) as ImageInfo;
  }

  async images(): Promise<readonly StoredImage[]> {
    this.enter('images');
    const byId = new Map<string, StoredImage>();
    for (const [name, { id, sizeBytes, createdAt }] of this.engine.images) {
      const names = [...(byId.get(id)?.names ?? []), name];
      byId.set(id, { id, names, sizeBytes, createdAt });
    }
    return [...byId.values()];
  }

  /** Each image is a layer of its own. */
  async layers(): Promise<readonly (readonly string[])[]> {
    return (await this.images()).map(({ id }) => [id]);
  }

  async imagesInUse(): Promise<ReadonlySet<string>> {
    this.enter('imagesInUse');
    const used = [...this.engine.containers.values()].map(one => one.imageId);
    return new Set(used.map(imageId => imageId.replace('docker://', '')));
  }

  async removeImage(id: string): Promise<void> {
    this.enter('removeImage');
    if ((await this.imagesInUse()).has(id))
      throw new RuntimeError('EngineError', `image ${id} is in use`);
    for (const [name, image] of this.engine.images) {
      if (image.id !== id) continue;
      this.engine.images.delete(name);
      const { filesystem } = this.engine;
      const availableBytes = filesystem.availableBytes + image.sizeBytes;
      this.engine.filesystem = { ...filesystem, availableBytes };
      this.engine.acts.push(`removeImage ${name}`);
    }
  }

  async imageFilesystem(): Promise<ImageFilesystem> {
    this.enter('imageFilesystem');
    return this.engine.filesystem;
  }
}
