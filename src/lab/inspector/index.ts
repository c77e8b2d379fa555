/** The inspector's session: `serveInspector` answers what a page asks through a port, with the engine of its host. */
import { UsageError } from '../../errors.ts';
import type { Watch } from '../../platform.ts';
import type { InspectorHost } from './host.ts';
import { type Port, serve } from './port.ts';
import type { Request } from './request.ts';
import { requests } from './requests/index.ts';
import { Session } from './session.ts';

export type { InspectorHost } from './host.ts';
export type { Port } from './port.ts';

/** Answers until the other end of the port is gone, then gives back what the session holds. */
export function serveInspector(port: Port, host: InspectorHost): Session {
  const answer = async (name: string, params: unknown, watch: Watch): Promise<unknown> => {
    if (!Object.hasOwn(requests, name)) {
      throw new UsageError(
        `Cannot answer ${name}: there is no such request; page and session are of two versions. Load the page again`,
      );
    }
    const request = requests[name as keyof typeof requests] as Request<unknown, unknown>;
    try {
      return await request(session, params, watch);
    } catch (error) {
      throw session.told(error);
    }
  };
  const session: Session = new Session(host, serve(port, answer));
  port.onClose(() => void session.close());
  return session;
}
