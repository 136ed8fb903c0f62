/** Podman keeps the container runtime contract through its Docker-like socket. */
import { noPodman, podmanSubject } from '../support/podman.js';
import { execContract } from './runtime-exec.contract.js';
import { securityContract } from './runtime-security.contract.js';
import { runtimeContract } from './runtime.contract.js';

const skip = noPodman();

runtimeContract('Podman', podmanSubject, skip);
execContract('Podman', podmanSubject, skip);
securityContract('Podman', podmanSubject, skip);
