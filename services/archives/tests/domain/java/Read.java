import java.io.*;
import java.util.*;
import java.util.zip.*;

/** Prints name, length and CRC-32 of each file of a zip: by ZipFile, or from a pipe by ZipInputStream. */
class Read {
    public static void main(String[] names) throws IOException {
        var out = new PrintWriter(new OutputStreamWriter(System.out, "UTF-8"));
        if (names.length == 0) {
            try (var zip = new ZipInputStream(new BufferedInputStream(System.in))) {
                for (ZipEntry entry; (entry = zip.getNextEntry()) != null; ) print(out, entry, zip);
            }
        } else {
            try (var zip = new ZipFile(names[0])) {
                for (var entry : Collections.list(zip.entries())) print(out, entry, zip.getInputStream(entry));
            }
        }
        out.flush();
    }

    private static void print(PrintWriter out, ZipEntry entry, InputStream content) throws IOException {
        var sum = new CRC32();
        var buffer = new byte[1 << 16];
        long length = 0;
        for (int count; (count = content.read(buffer)) > 0; length += count) sum.update(buffer, 0, count);
        out.printf("%s %d %08x%n", entry.getName(), length, sum.getValue());
    }
}
