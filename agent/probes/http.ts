/**
 * The httpGet probe: 200 to 399 pass, a redirect that leaves the host passes with a warning (kubelet behaviour rows 99 to 101).
 * The status is told, never a body.
 */
import { AddressError, causeOf } from './address.js';
import { failure, probeError, SUCCESS, type ProbeAnswer, type ProbeCall } from './answer.js';
import { httpGet, httpTarget, urlText, type HttpTarget } from './http-get.js';
import type { HTTPGetAction } from '../../protocol/pod.js';

export async function httpProbe(action: HTTPGetAction, call: ProbeCall): Promise<ProbeAnswer> {
  const { container, host } = call.target;
  let target: HttpTarget;
  try {
    target = httpTarget(action, { container, address: host, agent: 'kube-probe' });
  } catch (error) {
    if (error instanceof AddressError) return probeError(error.message);
    return probeError(`no request can be made of ${action.host ?? host}`);
  }
  try {
    const { status, isRedirect } = await httpGet(target, call.signal);
    if (isRedirect) {
      return { is: 'warning', message: `Probe terminated redirects, status ${status}` };
    }
    if (status >= 200 && status < 400) return SUCCESS;
    return failure(`HTTP probe failed with statuscode: ${status}`);
  } catch (error) {
    const why = call.signal.aborted
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : causeOf(error);
    return failure(`Get "${urlText(target)}": ${why}`);
  }
}
