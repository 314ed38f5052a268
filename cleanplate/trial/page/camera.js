// The camera, as single JPEG pictures.

const QUALITY = 0.92;

export class Camera {
  constructor(video) {
    this.video = video;
    this.canvas = document.createElement("canvas");
    this.running = false;
    this.taken = -1; // the time of the last picture in the video
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

  // The next picture of the camera, never the same twice: as JPEG, and as a bitmap to draw.
  async picture() {
    while (this.running && this.video.currentTime === this.taken) {
      await new Promise((resume) => { setTimeout(resume, 4); });
    }
    this.taken = this.video.currentTime;
    this.canvas.width = this.video.videoWidth;
    this.canvas.height = this.video.videoHeight;
    this.canvas.getContext("2d", { willReadFrequently: true }).drawImage(this.video, 0, 0);
    const bitmap = createImageBitmap(this.canvas);
    const blob = await new Promise((resolve, reject) => {
      this.canvas.toBlob((made) => (made ? resolve(made) : reject(new Error("The camera gave no picture."))),
        "image/jpeg", QUALITY);
    });
    return { blob, bitmap: await bitmap };
  }
}
