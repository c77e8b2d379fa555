"""
Drives one kernel with Jupyter's own Python client, for jupyter.ts.

stdin takes a command a line, as JSON: {"id": 1, "do": "start", ...}; the methods of Driver are the commands, their
arguments the other keys. stdout gives, as JSON lines, an answer to each, {"id": 1, "value": ...} or {"id": 1, "error": ...},
and each message of the kernel as it comes, {"channel": "iopub", "message": {...}}: in order within a channel, with
signatures checked by the client. When stdin ends, the kernel is killed and so is this.
"""
import asyncio
import json
import signal
import sys
import traceback

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

CHANNELS = ("shell", "control", "iopub", "stdin")

# A command may hold a cell of many megabytes.
LONGEST_COMMAND = 2**30


def say(line):
    sys.stdout.buffer.write(json.dumps(line, default=str).encode() + b"\n")
    sys.stdout.buffer.flush()


class Driver:
    manager = None

    async def start(self, kernels, name, cwd, log):
        """Starts a kernel by a kernelspec of the folder `kernels`; what it prints by itself goes to the file `log`."""
        specs = KernelSpecManager(kernel_dirs=[kernels], ensure_native_kernel=False)
        self.manager = AsyncKernelManager(kernel_name=name, kernel_spec_manager=specs)
        file = open(log, "ab")  # stays open: a restart starts with the same arguments
        await self.manager.start_kernel(cwd=cwd, stdout=file, stderr=file)
        self.client = self.manager.client()
        self.client.start_channels(hb=False)
        self.readers = [asyncio.ensure_future(self.read(channel)) for channel in CHANNELS]
        info = self.manager.get_connection_info()
        return {"pid": self.manager.provisioner.pid, "key": info["key"].decode()}

    def socket(self, channel):
        return getattr(self.client, f"{channel}_channel").socket

    async def read(self, channel):
        while True:
            # A reply once stayed in the socket, unread, for as long as nothing was sent: so it is asked again each second.
            while not await self.socket(channel).poll(1000):
                pass
            frames = await self.socket(channel).recv_multipart()
            try:
                _, parts = self.client.session.feed_identities(frames)
                message = self.client.session.deserialize(parts)
            except Exception as error:  # a wrong signature, or no JSON
                say({"channel": channel, "broken": f"{error}"})
                continue
            buffers = [bytes(buffer).decode("latin1") for buffer in message["buffers"]]
            say({"channel": channel, "message": {**message, "buffers": buffers}})

    async def send(self, channel, type, msg_id, content, metadata):
        session = self.client.session
        header = {**session.msg_header(type), "msg_id": msg_id}
        session.send(self.socket(channel), type, content=content, header=header, metadata=metadata)

    async def frames(self, channel, frames):
        """Sends what no client would send."""
        await self.socket(channel).send_multipart([frame.encode() for frame in frames])

    async def heartbeat(self, text):
        """Gives back what the heartbeat channel answers."""
        info = self.manager.get_connection_info()
        socket = zmq.asyncio.Context.instance().socket(zmq.REQ)
        socket.linger = 0
        try:
            socket.connect(f"{info['transport']}://{info['ip']}:{info['hb_port']}")
            await socket.send(text.encode())
            return (await socket.recv()).decode()
        finally:
            socket.close()

    async def interrupt(self):
        """As a front end's stop button does: by message or by signal, as the kernelspec says."""
        await self.manager.interrupt_kernel()

    async def signal(self, number):
        """Signals the kernel's process group, as Ctrl-C does."""
        await self.manager.signal_kernel(number)

    async def restart(self, now):
        await self.manager.restart_kernel(now=now)
        return {"pid": self.manager.provisioner.pid}

    async def ended(self):
        """The kernel's exit code, once it has ended by itself; negative for a signal."""
        return await self.manager.provisioner.wait()

    async def close(self):
        if self.manager and self.manager.has_kernel:
            await self.manager.shutdown_kernel(now=True)


async def answer(driver, command):
    number, name = command.pop("id"), command.pop("do")
    try:
        say({"id": number, "value": await getattr(driver, name)(**command)})
    except Exception:
        say({"id": number, "error": traceback.format_exc()})


async def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, and so our stdin
    reader = asyncio.StreamReader(limit=LONGEST_COMMAND)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    driver = Driver()
    running = set()
    while line := await reader.readline():
        task = asyncio.ensure_future(answer(driver, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    await driver.close()


asyncio.run(main())
