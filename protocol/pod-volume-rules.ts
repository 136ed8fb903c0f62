/**
 * The rules of a pod's volumes and of where its containers mount them.
 *
 * As `ValidateVolumes` and `ValidateVolumeMounts` of the API (v1.36; kubelet behaviour rows 129 to 139), and stricter
 * where the kubelet would only fail later. Modes and closed lists of values are the schema's. Pure.
 */
import { forbidden, invalid, notSupported, required, type FieldError } from './field-error.js';
import type {
  Container,
  DownwardAPIVolumeFile,
  EmptyDirVolumeSource,
  KeyToPath,
  ProjectedVolumeSource,
  Volume,
  VolumeMount,
} from './pod.js';
import { checkFieldPath, checkResourceField } from './pod-field-paths.js';
import { checkDescendingPath, checkVolumePath, cleanMountPath } from './pod-volume-paths.js';
import { parseQuantity, parseQuantityWhole, QuantityError } from './quantity.js';
import { duplicates } from './rule-checks.js';

/** Where one list of files of a volume stands, and the containers whose resources it may show. */
interface FilesPlace {
  readonly at: string;
  readonly containers: readonly Container[];
}

function checkItems(items: readonly KeyToPath[] | undefined, at: string): FieldError[] {
  return (items ?? []).flatMap(({ key, path }, index) => [
    ...(key === '' ? [required(`${at}[${index}].key`)] : []),
    ...(path === undefined ? [] : checkVolumePath(path, `${at}[${index}].path`)),
  ]);
}

function checkFiles(
  items: readonly DownwardAPIVolumeFile[] | undefined,
  { at, containers }: FilesPlace,
): FieldError[] {
  return (items ?? []).flatMap(({ path, fieldRef, resourceFieldRef }, index) => {
    const item = `${at}[${index}]`;
    const errors = path === undefined ? [] : checkVolumePath(path, `${item}.path`);
    if (fieldRef !== undefined && resourceFieldRef !== undefined) {
      errors.push(forbidden(item, 'fieldRef and resourceFieldRef can not both be given'));
    } else if (fieldRef !== undefined) {
      errors.push(...checkFieldPath(fieldRef.fieldPath ?? '', 'volume', `${item}.fieldRef`));
    } else if (resourceFieldRef !== undefined) {
      const place = { at: `${item}.resourceFieldRef`, containers };
      errors.push(...checkResourceField(resourceFieldRef, 'volume', place));
    } else errors.push(required(`${item}.fieldRef`, 'one of fieldRef and resourceFieldRef'));
    return errors;
  });
}

/** Paths that are given by name may stand once, and none below another. */
function checkConflicts(paths: readonly { path?: string; at: string }[]): FieldError[] {
  const seen = new Set<string>();
  return paths.flatMap(({ path = '', at }) => {
    const clean = path
      .split('/')
      .filter(step => step !== '' && step !== '.')
      .join('/');
    if (clean === '') return [];
    const clash = [...seen].find(
      one => one === clean || one.startsWith(`${clean}/`) || clean.startsWith(`${one}/`),
    );
    seen.add(clean);
    if (clash === undefined) return [];
    return [invalid(at, path, `conflicting duplicate paths: ${clash} is a file already`)];
  });
}

const pathsOf = (items: readonly { path?: string }[] | undefined, at: string) =>
  (items ?? []).map(({ path }, index) => ({ path: path ?? '', at: `${at}[${index}].path` }));

function checkProjected(
  { sources = [] }: Partial<ProjectedVolumeSource>,
  { at, containers }: FilesPlace,
): FieldError[] {
  const errors = sources.flatMap((source, index) => {
    const path = `${at}.sources[${index}]`;
    const { secret, configMap, downwardAPI } = source;
    const found: FieldError[] = [];
    const kinds = Object.keys(source);
    if (kinds.length > 1) {
      found.push(forbidden(path, `a source has one type, this one has ${kinds.join(', ')}`));
    } else if (kinds.length === 0) found.push(required(path, 'a source has one type'));
    if (secret !== undefined && (secret.name ?? '') === '') {
      found.push(required(`${path}.secret.name`));
    }
    if (configMap !== undefined && (configMap.name ?? '') === '') {
      found.push(required(`${path}.configMap.name`));
    }
    return [
      ...found,
      ...checkItems(secret?.items, `${path}.secret.items`),
      ...checkItems(configMap?.items, `${path}.configMap.items`),
      ...checkFiles(downwardAPI?.items, { at: `${path}.downwardAPI.items`, containers }),
    ];
  });
  const paths = sources.flatMap(({ secret, configMap, downwardAPI }, index) => {
    const path = `${at}.sources[${index}]`;
    return [
      ...pathsOf(secret?.items, `${path}.secret.items`),
      ...pathsOf(configMap?.items, `${path}.configMap.items`),
      ...pathsOf(downwardAPI?.items, `${path}.downwardAPI.items`),
    ];
  });
  return [...errors, ...checkConflicts(paths)];
}

function checkEmptyDir({ medium = '', sizeLimit }: EmptyDirVolumeSource, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (medium.startsWith('HugePages')) {
    errors.push(notSupported(`${at}.medium`, 'huge pages are not on this engine'));
  } else if (medium !== '' && medium !== 'Memory') {
    errors.push(invalid(`${at}.medium`, medium, 'must be empty or Memory'));
  }
  if (sizeLimit === undefined) return errors;
  try {
    if (parseQuantity(sizeLimit) >= 0n && parseQuantityWhole(sizeLimit) >= 0) return errors;
    return [...errors, invalid(`${at}.sizeLimit`, sizeLimit, 'must not be negative')];
  } catch (error) {
    if (!(error instanceof QuantityError)) throw error;
    return [...errors, invalid(`${at}.sizeLimit`, sizeLimit, error.message)];
  }
}

function checkVolume(volume: Volume, at: string, containers: readonly Container[]): FieldError[] {
  const { hostPath, emptyDir, configMap, secret, downwardAPI, projected } = volume;
  const errors: FieldError[] = [];
  const path = hostPath?.path;
  if (path?.split('/').includes('..')) {
    errors.push(invalid(`${at}.hostPath.path`, path, "must not contain '..'"));
  }
  if (emptyDir !== undefined) errors.push(...checkEmptyDir(emptyDir, `${at}.emptyDir`));
  if (configMap !== undefined) {
    if ((configMap.name ?? '') === '') errors.push(required(`${at}.configMap.name`));
    const items = `${at}.configMap.items`;
    errors.push(...checkItems(configMap.items, items));
    errors.push(...checkConflicts(pathsOf(configMap.items, items)));
  }
  if (secret !== undefined) {
    if ((secret.secretName ?? '') === '') errors.push(required(`${at}.secret.secretName`));
    const items = `${at}.secret.items`;
    errors.push(...checkItems(secret.items, items));
    errors.push(...checkConflicts(pathsOf(secret.items, items)));
  }
  if (downwardAPI !== undefined) {
    const items = `${at}.downwardAPI.items`;
    errors.push(...checkFiles(downwardAPI.items, { at: items, containers }));
    errors.push(...checkConflicts(pathsOf(downwardAPI.items, items)));
  }
  if (projected !== undefined) {
    errors.push(...checkProjected(projected, { at: `${at}.projected`, containers }));
  }
  return errors;
}

export function checkVolumes(
  volumes: readonly Volume[],
  containers: readonly Container[],
): FieldError[] {
  const pathOf = (index: number) => `spec.volumes[${index}]`;
  const errors = duplicates(
    volumes,
    volume => volume.name,
    index => `${pathOf(index)}.name`,
  );
  volumes.forEach((volume, index) => {
    const sources = Object.keys(volume).filter(key => key !== 'name');
    if (sources.length > 1) {
      const list = sources.join(', ');
      errors.push(forbidden(pathOf(index), `a volume has one source, this one has ${list}`));
    }
    errors.push(...checkVolume(volume, pathOf(index), containers));
  });
  return errors;
}

function checkHow(mount: VolumeMount, container: Container, at: string): FieldError[] {
  const { subPath = '', subPathExpr = '', mountPropagation = 'None' } = mount;
  const recursive = mount.recursiveReadOnly ?? 'Disabled';
  const errors: FieldError[] = [
    ...checkDescendingPath(subPath, `${at}.subPath`),
    ...checkDescendingPath(subPathExpr, `${at}.subPathExpr`),
  ];
  if (subPath !== '' && subPathExpr !== '') {
    const detail = 'subPathExpr and subPath are mutually exclusive';
    errors.push(invalid(`${at}.subPathExpr`, subPathExpr, detail));
  }
  if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
    const detail = 'Bidirectional mount propagation is available only to privileged containers';
    errors.push(forbidden(`${at}.mountPropagation`, detail));
  }
  if (recursive === 'Disabled') return errors;
  if (mount.readOnly !== true) {
    errors.push(
      forbidden(`${at}.recursiveReadOnly`, 'may only be specified when readOnly is true'),
    );
  }
  if (mountPropagation !== 'None') {
    const detail = 'may only be specified when mountPropagation is None or not specified';
    errors.push(forbidden(`${at}.recursiveReadOnly`, detail));
  }
  return errors;
}

export function checkMounts(
  container: Container,
  at: string,
  volumes: readonly Volume[],
): FieldError[] {
  const mounts = container.volumeMounts ?? [];
  const pathOf = (index: number) => `${at}.volumeMounts[${index}]`;
  const errors: FieldError[] = [];
  mounts.forEach((mount, index) => {
    const { name, mountPath } = mount;
    if (name !== undefined && name !== '' && !volumes.some(volume => volume.name === name)) {
      errors.push(invalid(`${pathOf(index)}.name`, name, 'there is no volume of this name'));
    }
    errors.push(...checkHow(mount, container, pathOf(index)));
    if (mountPath === undefined || mountPath === '') return;
    const path = `${pathOf(index)}.mountPath`;
    if (/[:\u0000]/.test(mountPath)) errors.push(invalid(path, mountPath, "must not contain ':'"));
    if (mountPath.split('/').includes('..')) {
      errors.push(invalid(path, mountPath, "must not contain '..'"));
    } else if (cleanMountPath(mountPath) === '/') {
      errors.push(invalid(path, mountPath, 'the root directory cannot be a mount point'));
    }
  });
  const keyOf = (mount: { mountPath?: string }) =>
    mount.mountPath === undefined ? undefined : cleanMountPath(mount.mountPath);
  return [...errors, ...duplicates(mounts, keyOf, index => `${pathOf(index)}.mountPath`)];
}
