// The camera, as single JPEG pictures.

const QUALITY = 0.92;

export class Camera {
  constructor(video) {
    this.video = video;
    this.canvas = document.createElement("canvas");
    this.running = false;
  }

  async start() {
    const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 } }, audio: false };
    this.video.srcObject = await navigator.mediaDevices.getUserMedia(wanted);
    await this.video.play();
    this.running = true;
  }

  stop() {
    this.running = false;
    for (const track of this.video.srcObject?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
  }

  picture() {
    this.canvas.width = this.video.videoWidth;
    this.canvas.height = this.video.videoHeight;
    this.canvas.getContext("2d").drawImage(this.video, 0, 0);
    return new Promise((resolve, reject) => {
      this.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The camera gave no picture."))),
        "image/jpeg", QUALITY);
    });
  }
}
