/** Dawn never throws: what went wrong on the device arrives as events. They are kept here and thrown at the next chance. */
import { DeviceError } from '../../errors.ts';

export class DeviceHealth {
  #failure: DeviceError | null = null;

  constructor(device: GPUDevice) {
    device.lost.then(({ reason, message }) => {
      if (reason === 'destroyed') return;
      this.#failure = new DeviceError(
        `Cannot go on: the GPU was lost (${message || reason}); open the model again, or use { backend: 'reference' }`,
      );
    });
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault();
      this.#failure ??= new DeviceError(`Cannot compute on the GPU: ${event.error.message}`);
    });
  }

  /** Throws the first thing that went wrong, once; a lost device stays lost. */
  check(): void {
    const failure = this.#failure;
    if (!failure) return;
    if (!failure.message.includes('was lost')) this.#failure = null;
    throw failure;
  }
}
