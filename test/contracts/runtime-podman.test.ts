/** Podman keeps the container runtime contract through its Docker-like socket. */
import { noEngine } from '../support/docker.js';
import { noPodman, podmanSubject } from '../support/podman.js';
import { withRegistries } from '../support/published-images.js';
import { noRegistry } from '../support/registry.js';
import { attachContract } from './runtime-attach.contract.js';
import { execContract } from './runtime-exec.contract.js';
import { imagesContract } from './runtime-images.contract.js';
import { securityContract } from './runtime-security.contract.js';
import { runtimeContract } from './runtime.contract.js';

const skip = noPodman();

runtimeContract('Podman', () => podmanSubject(), skip);
execContract('Podman', () => podmanSubject(), skip);
attachContract('Podman', () => podmanSubject(), skip);
securityContract('Podman', () => podmanSubject(), skip);
imagesContract('Podman', () => withRegistries(podmanSubject), skip || noEngine() || noRegistry());
