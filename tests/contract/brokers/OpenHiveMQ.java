import com.hivemq.HiveMQServer;
import com.hivemq.configuration.service.InternalConfigurations;

/** HiveMQ lets nobody in without an extension that says who may; in tests everybody may. */
public class OpenHiveMQ {
    public static void main(String[] words) throws Exception {
        InternalConfigurations.AUTH_DENY_UNAUTHENTICATED_CONNECTIONS.set(false);
        HiveMQServer.main(words);
    }
}
